/** What was dropped or pasted: files, and the photographs directly inside folders. */

const SUFFIXES = [
  ".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpe", ".jpeg", ".jpg", ".mpo", ".png", ".tif", ".tiff", ".webp"
];

/** @typedef {{files: File[], failures: {name: string, reason: string}[]}} Dropped */

/**
 * Hears of everything that is dropped or pasted anywhere on the page.
 * @param {(files: File[], failures: Dropped["failures"]) => void} take
 */
export function received(take) {
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    if (event.dataTransfer) dropped(event.dataTransfer).then(({ files, failures }) => take(files, failures));
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    take(files, []);
  });
}

/**
 * Has to be called while the drop is being told: its items are gone afterwards.
 * @param {DataTransfer} transfer
 * @returns {Promise<Dropped>}
 */
async function dropped(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file").map((item) => ({
    folder: asFolder(item.webkitGetAsEntry?.() ?? null),
    file: item.getAsFile(),
  }));
  /** @type {Dropped} */
  const found = { files: [], failures: [] };
  for (const { folder, file } of items) {
    if (!folder) {
      if (file) found.files.push(file);
      continue;
    }
    try {
      const inside = await photographsIn(folder);
      found.files.push(...inside);
      if (!inside.length) found.failures.push({ name: folder.name, reason: "a folder without photographs" });
    } catch {
      found.failures.push({ name: folder.name, reason: "the folder cannot be read" });
    }
  }
  return found;
}

/**
 * @param {FileSystemEntry | null} entry
 * @returns {FileSystemDirectoryEntry | null}
 */
const asFolder = (entry) => (entry?.isDirectory ? /** @type {FileSystemDirectoryEntry} */ (entry) : null);

/**
 * Files directly inside that look like photographs by their suffix, by name.
 * @param {FileSystemDirectoryEntry} folder
 * @returns {Promise<File[]>}
 */
async function photographsIn(folder) {
  const reader = folder.createReader();
  /** @type {FileSystemEntry[]} */
  const entries = [];
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break; // a browser tells about a hundred at a time
    entries.push(...some);
  }
  const suffix = (/** @type {string} */ name) => name.slice(name.lastIndexOf(".")).toLowerCase();
  const shown = entries.filter(({ isFile, name }) => isFile && name.lastIndexOf(".") > 0 && SUFFIXES.includes(suffix(name)));
  shown.sort((a, b) => (a.name < b.name ? -1 : 1));
  return Promise.all(shown.map((entry) =>
    new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject))));
}
