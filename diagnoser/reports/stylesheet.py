"""The style of the HTML report: light and dark, telephone to paper, nothing fetched.

The colours stand in :data:`LIGHT` and :data:`DARK`, so that their contrast can be measured.
"""

LIGHT = {
    "ink": "#1b1f24", "soft": "#505a65", "page": "#ffffff", "panel": "#f4f6f8", "edge": "#cfd6dd",
    "line": "#7b8794", "good": "#116329", "bad": "#a40e26", "warn": "#7a4d00", "link": "#0550ae",
    "badpanel": "#fff1ef", "goodpanel": "#ebfaf0", "warnpanel": "#fff7e0",
}  # fmt: skip
DARK = {
    "ink": "#e6edf3", "soft": "#a5afb9", "page": "#0f141a", "panel": "#1a212a", "edge": "#37414c",
    "line": "#7d8894", "good": "#6ddb8a", "bad": "#ff9a92", "warn": "#f0c35e", "link": "#8cc2ff",
    "badpanel": "#35191a", "goodpanel": "#12291b", "warnpanel": "#2e2612",
}  # fmt: skip
_PAPER = LIGHT | {
    "ink": "#000000", "soft": "#3d454d", "panel": "#ffffff", "badpanel": "#ffffff",
    "goodpanel": "#ffffff", "warnpanel": "#ffffff", "link": "#000000",
}  # fmt: skip


def _colours(named: dict[str, str]) -> str:
    return ";".join(f"--{name}:{value}" for name, value in named.items())


_RULES = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);overflow-wrap:anywhere;
font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Hiragino Kaku Gothic ProN","Yu Gothic UI",
Meiryo,"Noto Sans CJK JP","IPAGothic",sans-serif}
header,main{max-width:68rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:1.25rem}main{padding-bottom:3rem}
header p{color:var(--soft);font-size:.875rem;margin:.1rem 0 0}
h1{font-size:1.0625rem;line-height:1.4;margin:0}
h2{font-size:1.25rem;line-height:1.35;margin:1.5rem 0 .5rem}
h3{font-size:1.0625rem;line-height:1.4;margin:2rem 0 .5rem}
h4{font-size:.9375rem;margin:.75rem 0 .25rem}
a{color:var(--link)}
p{margin:.5rem 0}
.verdict{border:1px solid var(--edge);border-left:.5rem solid var(--warn);border-radius:.5rem;
padding:1.1rem 1.25rem 1rem;margin:1rem 0 0;background:var(--warnpanel)}
.verdict.fault{border-left-color:var(--bad);background:var(--badpanel)}
.verdict.fine{border-left-color:var(--good);background:var(--goodpanel)}
.verdict h2{font-size:1.625rem;line-height:1.3;margin:.4rem 0 .4rem}
.verdict p{margin:.25rem 0 0;max-width:60rem}
.verdict .named{margin-top:.75rem;font-size:.875rem;color:var(--soft)}
.pill{display:inline-block;border:1.5px solid;border-radius:1rem;padding:0 .65rem;font-weight:700;
font-size:.8125rem;line-height:1.55;white-space:nowrap;color:var(--warn)}
.pill.fault{color:var(--bad)}.pill.fine{color:var(--good)}
.overview td .pill{margin:0}
article{border-top:3px solid var(--edge);padding-top:1.5rem;margin-top:3rem}
main>article:first-child{border-top:0;margin-top:0;padding-top:0}
.overview+article{margin-top:2rem}
.pair{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,26rem);gap:0 2.5rem}
.pair h3{margin-top:1.5rem}
ol,ul{padding-left:1.5rem;margin:.5rem 0}li{margin:.35rem 0}
ol>li::marker{font-weight:700}
table{border-collapse:collapse;width:100%;font-size:.9375rem;line-height:1.5;margin:.25rem 0}
th,td{text-align:left;vertical-align:top;padding:.4rem 1rem .4rem 0;
border-bottom:1px solid var(--edge)}
th:last-child,td:last-child{padding-right:0}
thead th{overflow-wrap:normal;white-space:nowrap;color:var(--soft);
font-weight:700;font-size:.8125rem;
border-bottom-color:var(--line)}
tbody th{font-weight:700;min-width:9rem}
thead th::first-letter{text-transform:uppercase}
.facts,.halves{table-layout:fixed}
.facts th:first-child{width:25%}.facts th:last-child{width:31%}.halves th:first-child{width:46%}
.halves tbody th{font-weight:400}
td.short{white-space:nowrap}
td.origin{color:var(--soft);font-size:.875rem}
.bad{color:var(--bad);font-weight:700}
pre,code{font-family:ui-monospace,"Cascadia Mono",Menlo,Consolas,"DejaVu Sans Mono","IPAGothic",
monospace;font-size:.8125rem}
pre{background:var(--panel);border:1px solid var(--edge);border-radius:.375rem;padding:.75rem;
white-space:pre-wrap;margin:.5rem 0;line-height:1.5}
details{border:1px solid var(--edge);border-radius:.375rem;padding:.55rem .9rem;margin:1rem 0}
details[open]{padding-bottom:.9rem}
details+details{margin-top:-.4rem}
summary{cursor:pointer;font-weight:700}
summary:focus-visible,a:focus-visible{outline:3px solid var(--link);outline-offset:2px}
figure{margin:.75rem 0;max-width:30rem}
figcaption{font-weight:700;font-size:.9375rem;margin:.35rem 0}
figure.wide{max-width:48rem}
.pictures{display:flex;flex-wrap:wrap;gap:.5rem 2.5rem}
.pictures figure{flex:1 1 19rem;margin:.25rem 0}
svg{display:block;width:100%;height:auto;background:var(--panel);border:1px solid var(--edge);
border-radius:.375rem}
svg text{fill:var(--ink);font-size:13px;font-family:inherit}
svg .small{font-size:12px;fill:var(--soft)}svg .strong{font-weight:700}
svg .halo{paint-order:stroke;stroke:var(--panel);stroke-width:5px;stroke-linejoin:round}
svg .life{stroke:var(--line);stroke-width:2}
svg .box{fill:var(--page);stroke:var(--line);stroke-width:1.5}
svg .absent{stroke-dasharray:5 4}
svg .way{stroke:var(--good);stroke-width:2;fill:none}
svg .stop{stroke:var(--bad);stroke-width:2.5;fill:none}
svg .idle{stroke:var(--line);stroke-width:1.5;stroke-dasharray:3 5;fill:none}
svg .alarm{stroke:var(--bad);stroke-width:2.5;fill:var(--badpanel)}
svg .failed{fill:var(--badpanel)}
svg text.alarmed{fill:var(--bad);font-weight:700}
svg text.told{fill:var(--bad)}
svg .bar{fill:var(--link)}
@media (max-width:52rem){.pair{display:block}}
@media (max-width:34rem){header,main{padding:0 .9rem}main{padding-bottom:2rem}
.verdict{padding:.9rem .9rem .8rem}.verdict h2{font-size:1.375rem}
.stack thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.facts th:first-child,.facts th:last-child,.halves th:first-child{width:auto}
.stack tr,.stack th,.stack td{display:block;border:0;padding:.05rem 0}
.stack td.short{white-space:normal}.stack td[data-label]::before{content:attr(data-label)": "}
.stack td:empty{display:none}
.stack tr{border-bottom:1px solid var(--edge);padding:.45rem 0}}
"""
_PRINT = """
body{font-size:9.5pt;line-height:1.45}header,main{max-width:none;padding:0}
h1{font-size:10pt}h2{font-size:12pt}h3{font-size:10.5pt;margin:11pt 0 3pt}h4{font-size:9.5pt}
.verdict{padding:8pt 10pt}.verdict h2{font-size:15pt}
.pair{display:grid;grid-template-columns:minmax(0,1fr) 78mm;gap:0 8mm}
table{font-size:8.5pt;line-height:1.35}th,td{padding:2pt 8pt 2pt 0}td.origin{font-size:8pt}
thead th{font-size:8pt}
.pictures{flex-wrap:nowrap}.pictures figure{flex:1 1 0;max-width:84mm}
figure{max-width:84mm}figure.wide{max-width:150mm}
details::details-content{content-visibility:visible;display:block;height:auto}
details{border:0;padding:0}summary{list-style:none;font-size:10.5pt;margin-top:10pt}
pre,code{font-size:8pt}pre{padding:5pt;line-height:1.3}
figcaption{font-size:9pt}.facts th:first-child{width:22%}.facts th:last-child{width:27%}
pre.pem{columns:2;column-gap:6mm;font-size:6pt;border:0;padding:0}
h2,h3,h4,summary,figcaption{break-after:avoid}
figure,.verdict,tr,li{break-inside:avoid}
li{margin:1.5pt 0}p,ul,ol{margin:3pt 0}
article{border-top:0;margin:0!important;padding:0;break-before:page}
article:first-of-type{break-before:auto}
"""

STYLE = (
    f"\n:root{{color-scheme:light dark;{_colours(LIGHT)}}}"
    f"\n@media (prefers-color-scheme:dark){{:root{{{_colours(DARK)}}}}}"
    f"{_RULES}@media print{{:root{{color-scheme:light;{_colours(_PAPER)}}}{_PRINT}}}\n"
    "@page{margin:14mm}\n"
)
