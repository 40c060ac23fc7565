"""The look of the report: one column of text, wider pictures, light and dark, screen and paper."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fbfaf7; --ink: #26282e; --soft: #6a6c74; --faint: #e3dfd6;
  --accent: #0f6e84;
  --series-1: #0f6e84; --series-2: #d1495b; --series-3: #b67a10; --series-4: #5b6abf;
  --series-5: #4f8a3c; --series-6: #8d5a97;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #16181c; --ink: #e8e5de; --soft: #9c9ea6; --faint: #34373e;
    --accent: #6cc5d9;
    --series-1: #6cc5d9; --series-2: #f0808c; --series-3: #e8b45a; --series-4: #9dabf5;
    --series-5: #93c97e; --series-6: #cf9fd8;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
main { max-width: 62rem; margin: 0 auto; padding: 4.5rem 1.5rem 5rem; }
h1, h2 {
  font-family: "Iowan Old Style", "Palatino Linotype", Palatino, Charter, Georgia, serif;
  font-weight: 600; line-height: 1.15; letter-spacing: -0.01em; text-wrap: balance;
}
h1 { font-size: clamp(2rem, 5vw, 3rem); margin: 0 0 1.25rem; }
h2 { font-size: 1.6rem; margin: 4rem 0 0.75rem; }
p { max-width: 40rem; margin: 0 0 1rem; text-wrap: pretty; }
.lead { font-size: 1.25rem; line-height: 1.5; max-width: 44rem; }
.note { color: var(--soft); font-size: 0.875rem; }
.key {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr));
  gap: 1.25rem 1.5rem; margin: 2.5rem 0; padding: 1.25rem 0; border-block: 1px solid var(--faint);
}
.key dd {
  margin: 0; font-size: 1.9rem; line-height: 1.2; font-weight: 600; color: var(--accent);
  font-variant-numeric: tabular-nums; letter-spacing: -0.02em;
}
.key dt { color: var(--soft); font-size: 0.875rem; line-height: 1.35; }
.key div { display: flex; flex-direction: column-reverse; justify-content: flex-end; }
figure { margin: 0; min-width: 0; }
figcaption { color: var(--soft); font-size: 0.8125rem; line-height: 1.4; margin-top: 0.35rem; }
img { display: block; width: 100%; height: auto; border-radius: 3px; }
.figures {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: 1rem;
  margin: 1.5rem 0; align-items: start;
}
.panels { margin: 1.5rem 0; display: grid; gap: 0.6rem; }
.panels .row { display: grid; grid-auto-columns: 1fr; grid-auto-flow: column; gap: 0.6rem; }
.panels figure { display: flex; flex-direction: column-reverse; justify-content: flex-end; }
.panels figcaption { margin: 0 0 0.3rem; }
.panels .row + .row figcaption { display: none; }
.panels img { max-height: 20.5rem; object-fit: contain; object-position: left top; }
.plots {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr));
  gap: 2.5rem; margin: 1.5rem 0;
}
svg { display: block; width: 100%; height: auto; max-width: 34rem; }
svg text { font-family: system-ui, sans-serif !important; }
.legend { display: flex; flex-wrap: wrap; gap: 0.35rem 1.1rem; padding: 0; margin: 1.25rem 0; }
.legend li { display: flex; align-items: center; gap: 0.45rem; list-style: none; }
.legend li { font-size: 0.875rem; line-height: 1.4; }
.legend i {
  width: 0.9rem; height: 0.9rem; border-radius: 3px; background: var(--colour);
  box-shadow: inset 0 0 0 1px rgb(128 128 128 / 0.35);
}
.table { overflow-x: auto; margin: 1.5rem 0; }
.beside { display: grid; grid-template-columns: auto minmax(20rem, 1fr); gap: 3rem; }
.beside { align-items: start; margin: 1.5rem 0; }
.beside .table { margin: 0; }
table {
  border-collapse: collapse; font-size: 0.9375rem; line-height: 1.35; min-width: min(26rem, 100%);
}
caption { text-align: left; color: var(--soft); font-size: 0.8125rem; padding-bottom: 0.5rem; }
th, td { padding: 0.4rem 1.5rem 0.4rem 0; text-align: left; border-bottom: 1px solid var(--faint); }
td { font-variant-numeric: tabular-nums; }
th { font-weight: 600; }
tbody th { font-weight: 400; }
thead th { border-bottom-color: var(--soft); vertical-align: bottom; }
.number { text-align: right; padding-right: 0.25rem; padding-left: 1.25rem; }
tfoot th, tfoot td { font-weight: 600; border-top: 1px solid var(--soft); border-bottom: 0; }
@media (max-width: 52rem) {
  .beside { grid-template-columns: 1fr; gap: 2rem; }
}
@media (max-width: 36rem) {
  main { padding: 2.5rem 1.1rem 3rem; }
  body { font-size: 1rem; }
  .lead { font-size: 1.125rem; }
  h2 { margin-top: 3rem; }
  .figures { grid-template-columns: 1fr 1fr; }
  .panels { gap: 1.5rem; }
  .panels .row { grid-auto-flow: row; grid-template-columns: 1fr 1fr; }
  .panels .row + .row figcaption { display: block; }
  .panels figure:only-child { grid-column: 1 / -1; }
  th, td { padding-right: 0.75rem; }
}
@media print {
  :root { --paper: #fff; --ink: #000; --soft: #444; --faint: #ccc; }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  h2 { margin-top: 1.5rem; break-after: avoid; }
  .row, figure, tr, .key, svg { break-inside: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
""".strip()
