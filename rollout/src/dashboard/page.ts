/** The page as it is sent: no build, no framework, nothing from elsewhere. What it shows comes as text and stays text. */
export const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>headgate</title>
<link rel="icon" href="data:,">
<style>
  :root { --ground: #fff; --ink: #1f2328; --soft: #656d76; --rule: #d0d7de; --live: #0969da; --candidate: #bc4c00;
    --idle: #1a7f37; --releasing: #0969da; --held: #9a6700; --rolledBack: #9a6700; --rollbackFailed: #cf222e }
  @media (prefers-color-scheme: dark) { :root { --ground: #0d1117; --ink: #e6edf3; --soft: #8d96a0; --rule: #30363d; --live: #58a6ff;
    --candidate: #f0883e; --idle: #3fb950; --releasing: #58a6ff; --held: #d29922; --rolledBack: #d29922; --rollbackFailed: #ff7b72 } }
  body { margin: 0 auto; max-width: 72rem; padding: 1.5rem; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
  header { border-left: .5rem solid var(--state, var(--rule)); padding-left: 1rem }
  h1 { margin: 0; font-size: 1.4rem } h2 { margin: 2rem 0 .5rem; font-size: 1rem }
  #state { color: var(--state); font-weight: 600 }
  #seen { color: var(--soft) }
  dl, pre { font: 13px/1.6 ui-monospace, monospace }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem }
  dt { color: var(--soft) } dd { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere }
  .live { color: var(--live) } .candidate { color: var(--candidate) } .because { font-weight: 600 }
  pre { white-space: pre-wrap } img { width: 100%; border: 1px solid var(--rule) }
  #lost { color: var(--rollbackFailed); white-space: pre-wrap }
  .old main { opacity: .45 } [hidden] { display: none }
</style>
<header role="status"><h1 id="head">headgate</h1><span id="state"></span> <span id="seen"></span><div id="lost" role="alert"></div></header>
<main>
  <dl id="lines"></dl>
  <section id="release" hidden><h2>How it is judged</h2><img id="plot" alt=""><pre id="why"></pre></section>
</main>
<script>
  const at = (id) => document.getElementById(id);
  const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

  async function ask(path) {
    const answer = await fetch(path, { cache: 'no-store', signal: AbortSignal.timeout(15000) });
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.message + '\\n' + told.hint);
    return told;
  }

  function showStatus({ app, state, lines: [head, ...lines] }) {
    const words = state.replace(/[A-Z]/g, (letter) => ' ' + letter.toLowerCase());
    document.title = words + ' · ' + app;
    document.documentElement.style.setProperty('--state', 'var(--' + state + ')');
    at('head').textContent = head;
    at('state').textContent = words;
    at('lines').replaceChildren(...lines.flatMap((line) => {
      const [, label, rest] = /^ *(\\S*) *(.*)$/.exec(line);
      const [term, text] = [document.createElement('dt'), document.createElement('dd')];
      [term.textContent, text.textContent] = [label, rest];
      term.className = text.className = /^(live|candidate|because)$/.test(label) ? label : '';
      return [term, text];
    }));
  }

  function showRelease({ release, plot, lines }) {
    at('release').hidden = plot === undefined;
    if (plot === undefined) return;
    at('plot').src = 'data:image/svg+xml,' + encodeURIComponent(plot);
    at('plot').alt = 'Weights, failed requests and odds of release ' + release;
    at('why').textContent = lines.join('\\n');
  }

  /** What is shown is of the time that stands beside it; what cannot be asked for is no reason to show nothing. */
  async function look(turn) {
    try {
      showStatus(await ask('status'));
      if (turn % 10 === 0) showRelease(await ask('release'));
      at('seen').textContent = 'at ' + new Date().toLocaleTimeString();
      at('lost').textContent = '';
      document.body.className = '';
    } catch (error) {
      at('lost').textContent = error.name === 'Error' ? error.message : 'headgate ui does not answer: does it still run?';
      document.title = 'no answer · headgate';
      document.body.className = 'old';
    }
  }

  (async () => {
    for (let turn = 0; ; await sleep(1000)) if (!document.hidden) await look(turn++);
  })();
</script>
`;
