// Runs a declarative Jenkinsfile without Jenkins: real sh, real exit codes, the order of stages and posts that Jenkins has.
// groovy harness.groovy <Jenkinsfile> <workspace> <vars folder>; writes one JSON object per thing that happened.
// HARNESS_INPUT=denied: whoever is asked says no. HARNESS_CREDENTIALS: a JSON object of the credentials that this Jenkins has, by id: a text,
// { "user", "password" }, or { "content" } of a file; absent: none. HARNESS_REMOTE: the repository whose main a checkout fetches; absent: the
// workspace has been checked out. HARNESS_MEANWHILE: a line of sh that happens while whoever is asked thinks. HARNESS_FROM: the stage that
// the build is restarted from. HARNESS_LOSES: a JSON object of how often the agent is lost, by what stands in the sh that is running then.
import groovy.json.JsonOutput
import groovy.json.JsonSlurper

class Stopped extends RuntimeException {
  String result
  Stopped(String result, String why) { super(why); this.result = result }
}

class AgentLost extends Stopped {
  AgentLost() { super('FAILURE', 'Agent was removed') }
}

class Harness {
  File workspace
  Map<String, Object> library = [:]
  /** Of the controller, as Jenkins has them from its global properties, and those that are set on the way. */
  Map<String, String> variables = new LinkedHashMap(System.getenv())
  Map<String, Object> credentials = new JsonSlurper().parseText(System.getenv('HARNESS_CREDENTIALS') ?: '{}')
  String result = 'SUCCESS'
  boolean stopsAfterUnstable = false
  boolean skipping = false
  String from = System.getenv('HARNESS_FROM')
  Map<String, Integer> loses = new JsonSlurper().parseText(System.getenv('HARNESS_LOSES') ?: '{}')
  boolean agentLost = false
  /** What stopped the stage first: what its post meets is told, and changes nothing. */
  Stopped stoppedBy

  void tell(Map what) { println JsonOutput.toJson(what) }

  void worsen(String to) {
    def order = ['SUCCESS', 'UNSTABLE', 'FAILURE', 'ABORTED']
    if (order.indexOf(to) > order.indexOf(result)) result = to
  }

  void stop(Stopped stopped, Map where = [:]) {
    stoppedBy = stoppedBy ?: stopped
    worsen(stopped.result)
    tell([kind: 'stopped'] + where + [why: stopped.message])
  }

  def within(Closure body, Object delegate) {
    def own = body.clone()
    own.delegate = delegate
    own.resolveStrategy = Closure.DELEGATE_FIRST
    own.call()
  }
}

/** What may stand in steps, script and post. */
class Steps {
  Harness harness
  Steps(Harness harness) { this.harness = harness }

  /** Of a job of one branch: it names no revision. */
  def getScm() { scmGit(branches: [[name: 'origin/main']], extensions: [], userRemoteConfigs: [[url: System.getenv('HARNESS_REMOTE')]]) }
  def scmGit(Map options) { options }
  def getEnv() { harness.variables }
  Map checkout(Map scm) {
    onAgent()
    Map git = scm.scm ?: scm
    String remote = git.userRemoteConfigs[0].url
    if (remote != null) {
      run("git fetch -q '${remote}' '+refs/heads/*:refs/remotes/origin/*' && git checkout -q --detach '${git.branches[0].name}'")
    }
    def commit = run('git rev-parse HEAD')
    harness.tell(kind: 'checkout', commit: commit, poll: scm.poll != false)
    return [GIT_COMMIT: commit]
  }
  void echo(String text) { harness.tell(kind: 'echo', text: text) }
  void script(Closure body) { harness.within(body, this) }
  def string(Map options) { [(options.variable): secretOf(options, String)] }
  def file(Map options) {
    def kept = File.createTempFile('credential', '')
    kept.deleteOnExit()
    kept.text = secretOf(options, Map).content
    [(options.variable): kept.path]
  }
  def usernamePassword(Map options) {
    def pair = secretOf(options, Map)
    [(options.usernameVariable): pair.user, (options.passwordVariable): pair.password]
  }

  /** As Jenkins does, it fails for an id that it does not have, and for one of another kind. */
  private Object secretOf(Map options, Class kind) {
    def secret = harness.credentials[options.credentialsId]
    if (kind.isInstance(secret)) return secret
    throw new Stopped('FAILURE', "Could not find credentials entry with ID '${options.credentialsId}'")
  }

  void withCredentials(List bindings, Closure body) {
    withVariables(bindings.inject([:]) { all, one -> all + one }, body)
  }

  void withEnv(List pairs, Closure body) {
    withVariables(pairs.collectEntries { pair -> String text = pair; [(text.substring(0, text.indexOf('='))): text.substring(text.indexOf('=') + 1)] }, body)
  }

  private void withVariables(Map added, Closure body) {
    def before = new LinkedHashMap(harness.variables)
    harness.variables.putAll(added)
    try { harness.within(body, this) } finally { harness.variables = before }
  }

  def sh(String script) { sh(script: script) }

  def sh(Map options) {
    onAgent(options.script as String)
    def (code, output) = start('-xe', options.script as String)
    harness.tell(kind: 'sh', script: options.script, code: code, output: output)
    if (options.returnStatus) return code
    if (code != 0) throw new Stopped('FAILURE', "script returned exit code ${code}")
    return null
  }

  String readFile(String path) { onAgent(); new File(harness.workspace, path).text }

  /** What Jenkins itself does in the workspace. */
  private String run(String script) {
    def (code, output) = start('-e', script)
    if (code != 0) throw new Stopped('FAILURE', output)
    return output.trim()
  }

  private List start(String flags, String script) {
    def builder = new ProcessBuilder('sh', flags, '-c', script).directory(harness.workspace)
    builder.environment().putAll(harness.variables)
    builder.redirectErrorStream(true)
    def process = builder.start()
    process.outputStream.close()
    def output = process.inputStream.text
    return [process.waitFor(), output]
  }

  /** Whatever needs the agent fails once that is lost. */
  private void onAgent(String script = '') {
    def word = harness.loses.keySet().find { script.contains(it) && harness.loses[it] > 0 }
    if (word != null) {
      harness.loses[word] -= 1
      harness.agentLost = true
    }
    if (harness.agentLost) throw new AgentLost()
  }

  void error(String why) { throw new Stopped('FAILURE', why) }
  void unstable(String why) { harness.tell(kind: 'unstable', why: why); harness.worsen('UNSTABLE') }
  void milestone(int ordinal) { harness.tell(kind: 'milestone', ordinal: ordinal) }
  void archiveArtifacts(Map options) { onAgent(); harness.tell(kind: 'archive', artifacts: options.artifacts) }

  void junit(Map options) {
    onAgent()
    def folder = new File(harness.workspace, (options.testResults as String).replaceAll('/[^/]*$', ''))
    def found = (folder.listFiles() ?: []).count { it.name.endsWith('.xml') }
    harness.tell(kind: 'junit', files: found)
    if (found == 0 && !options.allowEmptyResults) throw new Stopped('FAILURE', 'No test report files were found')
  }

  def input(Map options) {
    harness.tell(kind: 'input', message: options.message)
    if (System.getenv('HARNESS_MEANWHILE')) run(System.getenv('HARNESS_MEANWHILE'))
    if (System.getenv('HARNESS_INPUT') == 'denied') throw new Stopped('ABORTED', 'Rejected by kim')
    return options.submitterParameter == null ? null : 'kim'
  }

  /** Steps of the shared library. */
  def methodMissing(String name, Object args) {
    def step = harness.library[name]
    if (step == null) throw new MissingMethodException(name, Steps, args as Object[])
    return step.invokeMethod('call', args as Object[])
  }
}

class Post {
  Harness harness
  String result
  Post(Harness harness, String result) { this.harness = harness; this.result = result }
  private void when(String name, boolean holds, Closure body) {
    if (!holds) return
    harness.tell(kind: 'post', condition: name)
    try { harness.within(body, new Steps(harness)) } catch (Stopped stopped) { harness.stop(stopped) }
  }
  void always(Closure body) { when('always', true, body) }
  void success(Closure body) { when('success', result == 'SUCCESS', body) }
  void failure(Closure body) { when('failure', result == 'FAILURE', body) }
  void unstable(Closure body) { when('unstable', result == 'UNSTABLE', body) }
  void aborted(Closure body) { when('aborted', result == 'ABORTED', body) }
}

/** The condition of a stage. */
class When {
  Harness harness
  boolean holds = true
  void beforeAgent(boolean isFirst) {}
  void expression(Closure body) { holds = harness.within(body, new Steps(harness)) }
}

/** Where a stage runs, and how often it may: again only when the agent is lost. */
class Agent {
  Harness harness
  int tries = 1
  void label(String name) {}
  void node(Closure body) { harness.within(body, this) }
  void retries(int count) { tries = count }
}

/** Gathers what stands in a stage first: Jenkins, too, reads all of it before it runs any. */
class Stage {
  Harness harness
  String name
  Agent agent
  Closure steps
  Closure stages
  Closure post
  boolean applies = true
  Stage(Harness harness, String name) { this.harness = harness; this.name = name }

  void agent(Closure body) {
    agent = new Agent(harness: harness)
    harness.within(body, agent)
  }
  void when(Closure body) {
    def condition = new When(harness: harness)
    harness.within(body, condition)
    applies = condition.holds
  }
  void steps(Closure body) { steps = body }
  void stages(Closure body) { stages = body }
  void post(Closure body) { post = body }

  void run() {
    if (name == harness.from) harness.from = null
    if (harness.from || harness.skipping || !applies) { harness.tell(kind: 'skipped', stage: name); return }
    if (agent == null) { play(); return }
    def before = harness.result
    for (int left = agent.tries - 1; ; left--) {
      harness.agentLost = false
      play()
      if (!(harness.stoppedBy instanceof AgentLost) || left == 0) return
      // As on Jenkins, the whole stage is played again, by another agent, as if it had not been.
      harness.result = before
      harness.skipping = false
      harness.stoppedBy = null
    }
  }

  private void play() {
    harness.tell(kind: 'stage', stage: name, agent: agent != null)
    try {
      if (steps != null) harness.within(steps, new Steps(harness))
    } catch (Stopped stopped) {
      harness.stop(stopped, [stage: name])
    }
    if (harness.result in ['FAILURE', 'ABORTED'] || (harness.result == 'UNSTABLE' && harness.stopsAfterUnstable)) harness.skipping = true
    if (stages != null) harness.within(stages, new Stages(harness))
    if (post != null) harness.within(post, new Post(harness, harness.result))
    // A post that fails stops what follows as well.
    if (harness.result in ['FAILURE', 'ABORTED']) harness.skipping = true
  }
}

class Stages {
  Harness harness
  Stages(Harness harness) { this.harness = harness }
  void stage(String name, Closure body) {
    def stage = new Stage(harness, name)
    harness.within(body, stage)
    stage.run()
  }
}

/** Options and triggers: known ones only, so that a misspelt one fails here and not on the server. */
class Settings {
  static final known = ['buildDiscarder', 'disableConcurrentBuilds', 'logRotator', 'pollSCM', 'preserveStashes',
    'skipDefaultCheckout', 'skipStagesAfterUnstable', 'timeout', 'timestamps']
  Harness harness
  Settings(Harness harness) { this.harness = harness }
  def methodMissing(String name, Object args) {
    if (!(name in known)) throw new MissingMethodException(name, Settings, args as Object[])
    if (name == 'skipStagesAfterUnstable') harness.stopsAfterUnstable = true
    harness.tell(kind: 'setting', name: name)
    return name
  }
}

class Top {
  Harness harness
  Top(Harness harness) { this.harness = harness }
  def getNone() { 'none' }
  void agent(Object none) {}
  void triggers(Closure body) { harness.within(body, new Settings(harness)) }
  void options(Closure body) { harness.within(body, new Settings(harness)) }
  void stages(Closure body) { harness.within(body, new Stages(harness)) }
  void post(Closure body) { harness.within(body, new Post(harness, harness.result)) }
}

def (file, workspace, vars) = args
def harness = new Harness(workspace: new File(workspace))
def shell = new GroovyShell(this.class.classLoader)
new File(vars).listFiles().findAll { it.name.endsWith('.groovy') }.each { source ->
  def step = shell.parse(source)
  def steps = new Steps(harness)
  step.metaClass.methodMissing = { String name, Object given -> steps.invokeMethod(name, given) }
  harness.library[source.name - '.groovy'] = step
}
def script = shell.parse(new File(file))
script.binding.setVariable('none', 'none')
// Its own functions call steps, too.
def ownSteps = new Steps(harness)
script.metaClass.methodMissing = { String name, Object given -> ownSteps.invokeMethod(name, given) }
script.metaClass.propertyMissing = { String name -> ownSteps.getProperty(name) }
script.metaClass.pipeline = { Closure body -> harness.within(body, new Top(harness)) }
script.run()
harness.tell(kind: 'end', result: harness.result)
