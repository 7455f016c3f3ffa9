"""The style of the HTML report: light and dark, telephone to paper, nothing fetched."""

STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--page:#fff;--panel:#f4f6f8;
--edge:#c4ccd4;--good:#116329;--bad:#a40e26;--warn:#7a4d00;--link:#0550ae;
--badpanel:#fff0ee;--goodpanel:#eafaef;--warnpanel:#fff6dc}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#a5afb9;--page:#0f141a;
--panel:#1a212a;--edge:#434d58;--good:#6ddb8a;--bad:#ff9a92;--warn:#f0c35e;--link:#8cc2ff;
--badpanel:#35191a;--goodpanel:#12291b;--warnpanel:#2e2612}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);overflow-wrap:anywhere;
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Hiragino Kaku Gothic ProN","Yu Gothic UI",
Meiryo,"Noto Sans CJK JP","IPAGothic",sans-serif}
header,main,footer{max-width:60rem;margin:0 auto;padding:0 1rem}
header{padding-top:1.25rem}footer{padding:1rem 1rem 2rem;color:var(--soft);font-size:.875rem}
h1{font-size:1.5rem;line-height:1.3;margin:.25rem 0}
h2{font-size:1.25rem;line-height:1.35;margin:0 0 .5rem}
h3{font-size:1.0625rem;margin:1.75rem 0 .5rem}h4{font-size:1rem;margin:.25rem 0 .5rem}
a{color:var(--link)}
.kind{color:var(--soft);font-size:.875rem;margin:0}
.verdict{border:1px solid var(--edge);border-left:.5rem solid var(--warn);border-radius:.5rem;
padding:1rem;margin:1rem 0;background:var(--warnpanel)}
.verdict p{margin:.25rem 0 0}
.verdict .facts{margin-top:.75rem;font-size:.875rem}
.fault{border-left-color:var(--bad);background:var(--badpanel)}
.fine{border-left-color:var(--good);background:var(--goodpanel)}
.mark{font-weight:700;margin-right:.4rem;white-space:nowrap}
.fault .mark{color:var(--bad)}.fine .mark{color:var(--good)}.open .mark{color:var(--warn)}
article{border-top:1px solid var(--edge);padding:1.25rem 0;margin-top:1.25rem}
article:first-of-type{border-top:0;margin-top:0;padding-top:0}
ol,ul{padding-left:1.5rem;margin:.5rem 0}li{margin:.3rem 0}
table{border-collapse:collapse;width:100%;font-size:.9375rem;margin:.25rem 0}
caption{text-align:left;color:var(--soft);font-size:.875rem;padding:.25rem 0}
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem .35rem 0;
border-bottom:1px solid var(--edge)}
thead th{overflow-wrap:normal;color:var(--soft);font-weight:600;font-size:.875rem}
tbody th{font-weight:600}
td.short,th.short{white-space:nowrap}
td.origin{color:var(--soft);font-size:.875rem}
.bad{color:var(--bad);font-weight:700}
pre,code{font-family:ui-monospace,"Cascadia Mono",Menlo,Consolas,"DejaVu Sans Mono","IPAGothic",
monospace;font-size:.875rem}
pre{background:var(--panel);border:1px solid var(--edge);border-radius:.375rem;padding:.75rem;
white-space:pre-wrap;margin:.5rem 0}
details{border:1px solid var(--edge);border-radius:.375rem;padding:.5rem .75rem;margin:.75rem 0}
summary{cursor:pointer;font-weight:600}
figure{margin:.75rem 0}figcaption{font-weight:600;margin-bottom:.35rem}
.pictures{display:flex;flex-wrap:wrap;gap:1rem 2rem}.pictures figure{flex:1 1 18rem;max-width:26rem}
svg{display:block;width:100%;height:auto;max-width:30rem;background:var(--panel);
border:1px solid var(--edge);border-radius:.375rem}
svg text{fill:var(--ink);font-size:13px;font-family:inherit}
svg .small{font-size:12px;fill:var(--soft)}svg .strong{font-weight:700}
svg .life{stroke:var(--edge);stroke-width:2}
svg .box{fill:var(--page);stroke:var(--soft);stroke-width:1.5}
svg .absent{stroke-dasharray:5 4}
svg .way{stroke:var(--good);stroke-width:2;fill:none}
svg .stop{stroke:var(--bad);stroke-width:2.5;fill:none}
svg .idle{stroke:var(--soft);stroke-width:1.5;stroke-dasharray:3 5;fill:none}
svg .alarm{stroke:var(--bad);stroke-width:2.5;fill:var(--badpanel)}
svg text.alarmed{fill:var(--bad);font-weight:700}
svg .bar{fill:var(--link)}
@media (max-width:34rem){
.stack thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.stack tr,.stack th,.stack td{display:block;border:0;padding:.05rem 0}
.stack tr{border-bottom:1px solid var(--edge);padding:.4rem 0}}
@media print{:root{--ink:#000;--soft:#444;--page:#fff;--panel:#fff;--edge:#999;--good:#116329;
--bad:#a40e26;--warn:#7a4d00;--link:#000;--badpanel:#fff;--goodpanel:#fff;--warnpanel:#fff}
body{font-size:10.5pt}header,main,footer{max-width:none;padding:0}
details::details-content{content-visibility:visible;display:block;height:auto}
details{border:0;padding:0}summary{list-style:none}
h2,h3,h4,summary,figcaption{break-after:avoid}
figure,.verdict,tr,li{break-inside:avoid}article{border-top:0}
article+article{break-before:page}}
@page{margin:16mm}
"""
