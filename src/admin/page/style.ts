/** The style sheet of the status page. Its bytes are named in the page's Content-Security-Policy. */

export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --ground: #f4f6f5; --card: #fff; --ink: #1b282c; --soft: #526368; --line: #dde4e2; --tint: #eef3f2;
  --accent: #0a6a7b; --water: #8ecbd5; --waiter: #2c8c9d; --gate: #4a5b60;
  --good: #17693f; --warn: #7d5200; --bad: #a8231b; --hold: #5140a8;
  --good-tint: #e5f3eb; --warn-tint: #fbf0d9; --bad-tint: #fbe7e5; --hold-tint: #ece9fa;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0f1619; --card: #162024; --ink: #e4eded; --soft: #9fb2b5; --line: #28363b; --tint: #1c292e;
    --accent: #72cbd9; --water: #245f6b; --waiter: #58b4c3; --gate: #93a5a9;
    --good: #6fd0a0; --warn: #e6bd6b; --bad: #ff9a91; --hold: #bdb2fa;
    --good-tint: #14301f; --warn-tint: #332711; --bad-tint: #3a1a18; --hold-tint: #262042;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.25rem clamp(.75rem, 3vw, 2rem) 3rem; max-width: 76rem;
  background: var(--ground); color: var(--ink);
  font: 400 .9375rem/1.5 system-ui, -apple-system, "Segoe UI", "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums;
}
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1rem; margin: 0 0 .5rem; }
h1 { display: flex; align-items: center; gap: .5rem; margin: 0; font-size: 1.375rem; font-weight: 650; letter-spacing: -.01em; }
h1 svg { width: 1.6rem; height: 1.6rem; fill: var(--accent); }
h2 { margin: 0; font-size: 1.0625rem; font-weight: 650; overflow-wrap: anywhere; }
h3 { margin: 0 0 .35rem; font-size: .8125rem; font-weight: 600; color: var(--soft); }
.meta { display: flex; flex-wrap: wrap; gap: .125rem 1.125rem; margin: 0; color: var(--soft); font-size: .875rem; }
.meta div { display: flex; gap: .35rem; }
.meta dt { margin: 0; } .meta dd { margin: 0; color: var(--ink); }
#live { margin-left: auto; color: var(--soft); font-size: .8125rem; }
#live[data-state=lost] { color: var(--bad); font-weight: 600; }
.summary { margin: .875rem 0 1.125rem; font-size: 1.125rem; overflow-wrap: anywhere; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1rem 1.125rem; margin: 0 0 1rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.25rem, 1fr)); gap: .75rem; margin: 0 0 1rem; padding: 0; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: .75rem .875rem; margin: 0; min-width: 0; }
.tile dt, .tile .note { overflow-wrap: anywhere; }
.tile dt { color: var(--soft); font-size: .8125rem; }
.tile dd { margin: 0; }
.big { font-size: 1.5rem; font-weight: 600; line-height: 1.3; letter-spacing: -.01em; }
.unit, .note { color: var(--soft); font-size: .8125rem; font-weight: 400; letter-spacing: 0; }
.head { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem .75rem; margin: 0 0 .75rem; }
.head .note { margin-left: auto; }
.badge { display: inline-flex; align-items: center; gap: .375rem; padding: .0625rem .55rem; border-radius: 99px; font-size: .8125rem; font-weight: 600; white-space: nowrap; }
.badge svg { width: .625rem; height: .625rem; fill: currentColor; flex: none; }
.good { color: var(--good); background: var(--good-tint); }
.warn { color: var(--warn); background: var(--warn-tint); }
.bad { color: var(--bad); background: var(--bad-tint); }
.hold { color: var(--hold); background: var(--hold-tint); }
.split { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 1.25rem; margin: 0 0 .875rem; }
figure { margin: 0; min-width: 0; }
figcaption { color: var(--soft); font-size: .8125rem; }
figcaption strong { color: var(--ink); font-weight: 600; }
.spark { display: block; width: 100%; height: 2.25rem; margin: .25rem 0 .125rem; overflow: visible; }
.spark path { fill: none; stroke: var(--accent); stroke-width: 1.5; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
.spark .second { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 3 3; }
.spark .area { fill: var(--water); fill-opacity: .35; stroke: none; }
.spark .base { stroke: var(--line); stroke-width: 1; vector-effect: non-scaling-stroke; }
.room { display: block; width: 100%; height: auto; background: var(--tint); border-radius: 8px; margin: 0 0 .35rem; }
.room .bed { fill: var(--water); }
.room .scale { stroke: var(--soft); stroke-opacity: .5; stroke-dasharray: 3 5; }
.room .waiter { fill: var(--waiter); }
.room .more, .room .drop { fill: var(--waiter); }
.room .drop { fill: var(--accent); }
.room .post { fill: var(--line); }
.room .gate { fill: var(--gate); }
.room .gate.open { fill: var(--card); stroke: var(--gate); stroke-width: 1.5; }
.curves { display: grid; gap: .625rem; align-content: start; }
.scroll { overflow-x: auto; margin: 0 -.25rem; padding: 0 .25rem; }
table { width: 100%; border-collapse: collapse; font-size: .875rem; }
caption { text-align: left; font-size: .8125rem; font-weight: 600; color: var(--soft); padding: 0 0 .25rem; }
th, td { text-align: left; padding: .4rem .75rem .4rem 0; border-top: 1px solid var(--line); vertical-align: top; }
thead th { border-top: 0; color: var(--soft); font-size: .8125rem; font-weight: 500; padding-bottom: .2rem; white-space: nowrap; }
tbody th { font-weight: 600; overflow-wrap: anywhere; }
td.number, th.number { text-align: right; white-space: nowrap; }
th:last-child, td:last-child { padding-right: 0; }
.endpoints { min-width: 60rem; table-layout: fixed; }
.endpoints th:nth-child(n+3) { width: 4.5rem; }
.endpoints th:nth-child(4), .endpoints th:nth-child(6) { width: 3.5rem; }
.endpoints th:nth-child(5) { width: 5.75rem; }
.endpoints th:nth-child(8) { width: 9.75rem; }
.error { color: var(--soft); font-size: .8125rem; overflow-wrap: anywhere; }
.failures { list-style: none; margin: 0; padding: 0; }
.failures li { display: grid; grid-template-columns: 6.5rem minmax(0, 1fr); gap: 0 .75rem; padding: .5rem 0; border-top: 1px solid var(--line); }
.failures li:first-child { border-top: 0; padding-top: 0; }
.failures p { margin: 0; overflow-wrap: anywhere; }
.failures code, .mono { font: .8125rem/1.5 ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", monospace; }
.reasons { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 0 0 .75rem; padding: 0; list-style: none; font-size: .875rem; }
.columns { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 0 1rem; align-items: start; }
.actions { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem .75rem; margin: 0 0 .75rem; font-size: .875rem; color: var(--soft); }
.actions input { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--soft); border-radius: 6px; padding: .2rem .5rem; min-width: 0; }
#result { font-size: .875rem; }
#result[data-ok=no] { color: var(--bad); font-weight: 600; }
button { font: inherit; font-size: .8125rem; font-weight: 600; color: var(--accent); background: transparent; border: 1px solid var(--accent); border-radius: 6px; padding: .125rem .625rem; cursor: pointer; }
button:hover { background: var(--tint); }
footer { color: var(--soft); font-size: .8125rem; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; }
@media (max-width: 52rem) {
  .split, .columns { grid-template-columns: minmax(0, 1fr); }
  .head .note { margin-left: 0; width: 100%; }
  .tiles { grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .5rem; }
  .failures li { grid-template-columns: minmax(0, 1fr); }
  .workers, .routes { min-width: 26rem; }
  #live { margin-left: 0; }
}
`;
