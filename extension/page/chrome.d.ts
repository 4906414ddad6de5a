// The part of the extension API that content scripts use.

declare namespace chrome.runtime {
  interface Port {
    postMessage(message: string): void;
    disconnect(): void;
    onMessage: { addListener(listener: (message: string) => void): void };
    onDisconnect: { addListener(listener: () => void): void };
  }
  function connect(options: { name: string }): Port;
}
