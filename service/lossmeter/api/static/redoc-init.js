// Starts ReDoc on /redoc.
"use strict";

// ReDoc decorates its menu with an image from its maker's CDN and offers no option against it. The policy of this
// page would refuse the request, with an error in the console: an image from another origin gets no content instead.
const own = (address) =>
  String(address).startsWith("data:") || new URL(address, document.baseURI).origin === location.origin;

HTMLImageElement.prototype.setAttribute = function (name, value) {
  Element.prototype.setAttribute.call(this, name, name === "src" && !own(value) ? "data:," : value);
};

// React sets the property too, once the image is in the page.
const { get } = Object.getOwnPropertyDescriptor(HTMLImageElement.prototype, "src");
Object.defineProperty(HTMLImageElement.prototype, "src", {
  get,
  set(value) {
    this.setAttribute("src", value);
  },
});

const target = document.getElementById("document");

Redoc.init(
  target.dataset.openapi,
  {
    expandResponses: "200",
    jsonSampleExpandLevel: 3,
    requiredPropsFirst: true,
    schemaExpansionLevel: 1,
    theme: {
      colors: { primary: { main: "#1f4e79" } },
      typography: {
        fontFamily: "system-ui, sans-serif",
        headings: { fontFamily: "system-ui, sans-serif" },
        code: { fontFamily: "ui-monospace, monospace" },
      },
    },
  },
  target,
);
