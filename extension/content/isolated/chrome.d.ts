// The part of the extension API that content scripts use.

declare namespace chrome.runtime {
  interface Port {
    name: string;
    sender?: { documentId?: string };
    postMessage(message: string | object): void;
    disconnect(): void;
    onMessage: { addListener(listener: (message: string) => void): void };
    onDisconnect: { addListener(listener: () => void): void };
  }
  const onMessage: {
    addListener(listener: (message: any, sender: unknown, respond: (answer: unknown) => void) => void): void;
  };
  /** The address of a file of the extension. */
  function getURL(path: string): string;
  function connect(options: { name: string }): Port;
}
