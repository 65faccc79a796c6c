"""The style sheet of the HTML report: system fonts, the window's colours, light and dark, and for paper."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root{--bg:#f6f7f9;--panel:#fff;--line:#dfe3e9;--text:#1c2026;--muted:#5b6472;--good:#00805c;--bad:#c24a00;
--claim:#8a5a00;--accent:#0b63c5}
@media(prefers-color-scheme:dark){:root{--bg:#14161a;--panel:#1a1d23;--line:#2b303a;--text:#e7e9ee;--muted:#98a1b0;
--good:#2bb587;--bad:#f0703a;--claim:#e8a624;--accent:#5aa9ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--text);font:15px/1.5 Inter,system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1180px;margin:0 auto;padding:32px 24px 64px}
header{margin-bottom:24px}
h1{font-size:26px;line-height:1.25;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:19px;margin:0 0 8px;overflow-wrap:anywhere}
h3{font-size:15px;margin:24px 0 8px}
p{margin:4px 0}
section{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:20px 24px;margin:0 0 20px}
small,figcaption{color:var(--muted);font-size:13px}
code{font:13px/1.45 "JetBrains Mono",ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
.wide,figure{overflow-x:auto}
figure{margin:16px 0 0}
table{border-collapse:collapse;width:100%}
th{text-align:left;font-weight:600;font-size:13px;color:var(--muted)}
th,td{padding:6px 16px 6px 0;border-bottom:1px solid var(--line);vertical-align:top}
tr:last-child td{border-bottom:0}
summary{cursor:pointer;color:var(--accent)}
details{margin:8px 0}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--claim)}
svg.graph{display:block;font:13px Inter,system-ui,sans-serif}
.ways path{fill:none;stroke:var(--muted);stroke-width:1.3}
.ways .rejection{stroke-dasharray:5 4;stroke:var(--bad)}
.tip{fill:var(--muted)}
.box rect{fill:var(--panel);stroke:var(--line);stroke-width:1.5}
.box text{fill:var(--text)}
.initial rect{stroke:var(--accent)}.claim rect{stroke:var(--claim)}.good rect{stroke:var(--good)}
.box.bad rect{stroke:var(--bad)}.wrong rect{stroke:var(--bad);stroke-dasharray:3 3}
@media print{body{background:#fff}section{border:0;padding:0;break-inside:avoid}details{display:block}}
"""
