// Files may be dropped anywhere on the page: they are handed to the uploader, and never replace the page in the browser.

const UPLOADER = '[data-testid="stFileUploaderDropzone"]';

function acceptDropsAnywhere() {
  if (globalThis.lungsAcceptsDrops) return; // once for the document, whatever mounts and unmounts
  globalThis.lungsAcceptsDrops = true;
  document.addEventListener("dragover", (event) => {
    if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    if (!event.dataTransfer?.files.length || event.target.closest?.(UPLOADER)) return;
    event.preventDefault();
    const input = document.querySelector(`${UPLOADER} input[type="file"]`);
    if (!input) return;
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
}
