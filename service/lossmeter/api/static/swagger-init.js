// Starts Swagger UI on /docs.
"use strict";

// Colouring is done token by token: beyond this many characters an answer is shown plain, so that the page stays usable.
const MOST_COLOURED = 100_000;

const plainWhenLarge = (system) => ({
  wrapComponents: {
    SyntaxHighlighter: (Original) => (props) => {
      const large = String(props.children ?? "").length > MOST_COLOURED;
      return large
        ? system.React.createElement(system.getComponent("PlainTextViewer"), null, props.children)
        : system.React.createElement(Original, props);
    },
  },
});

const target = document.getElementById("document");

SwaggerUIBundle({
  domNode: target,
  url: target.dataset.openapi,
  presets: [SwaggerUIBundle.presets.apis],
  plugins: [plainWhenLarge],
  layout: "BaseLayout",
  deepLinking: true,
  defaultModelRendering: "example",
  defaultModelExpandDepth: 2,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  docExpansion: "list",
  filter: true,
  persistAuthorization: false, // a key stays in the page's memory, not in the browser's storage
  requestSnippetsEnabled: true,
  validatorUrl: "none", // the badge would send the document to another host
});
