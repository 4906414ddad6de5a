import { answer } from "./imported.mjs";

globalThis.onmessage = answer;
