// Linked viewers share zoom, place and window: what is done in one, the others do. Places are taken relative to the
// picture and zoom relative to its fitting the screen, for two films rarely have the same size.

function joinLink(viewer, name) {
  leaveLink(viewer);
  if (!name) return;
  viewer.link = openChannel(`link ${name}`);
  viewer.onLinked = ({ detail }) => detail.from !== viewer && followLinked(viewer, detail);
  viewer.link.addEventListener("moved", viewer.onLinked);
}

function leaveLink(viewer) {
  viewer.link?.removeEventListener("moved", viewer.onLinked);
  viewer.link = null;
}

// Called at every change of a viewer; one that follows another, or is being filled, says nothing.
function tellLinked(viewer) {
  if (!viewer.link || viewer.quiet || !viewer.place) return;
  const { place, header, window } = viewer;
  const detail = {
    from: viewer,
    fit: place.fit,
    zoom: place.scale / place.fitted,
    x: place.x / header.width,
    y: place.y / header.height,
    window: { ...window },
  };
  viewer.link.dispatchEvent(new CustomEvent("moved", { detail }));
}

function followLinked(viewer, { fit, zoom, x, y, window }) {
  if (!viewer.place) return;
  const { place, header } = viewer;
  Object.assign(place, { fit, scale: place.fitted * zoom, x: x * header.width, y: y * header.height });
  Object.assign(viewer.window, window);
  viewer.quiet = true;
  showControls(viewer);
  viewer.changed();
  viewer.quiet = false;
}
