// What the viewer and the findings panel of one page share. Both live in the same document, so a choice made in one is
// drawn by the other at once, without the server; and what a reader has set outlives reruns and a visit to another page.
const REMEMBERED_STUDIES = 50;

function openChannel(name) {
  const channels = (globalThis.lungsChannels ??= new Map());
  if (!channels.has(name)) {
    const channel = new EventTarget();
    channel.layers = null; // the viewer's layer settings, the same for every study
    channel.studies = new Map(); // by study: zoom, window, measurements, chosen finding
    channels.set(name, channel);
  }
  return channels.get(name);
}

function rememberedStudy(channel, study) {
  const known = channel.studies.get(study) ?? { chosen: null, view: null, rulers: [] };
  channel.studies.delete(study);
  channel.studies.set(study, known); // now the most recent
  if (channel.studies.size > REMEMBERED_STUDIES) channel.studies.delete(channel.studies.keys().next().value);
  return known;
}

function chooseFinding(channel, study, key) {
  const known = rememberedStudy(channel, study);
  known.chosen = known.chosen === key ? null : key;
  channel.dispatchEvent(new CustomEvent("chosen", { detail: { study, key: known.chosen } }));
}
