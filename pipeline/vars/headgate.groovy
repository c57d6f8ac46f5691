// A step for other repositories: `headgate 'run deliver'`, `headgate 'rollback', reason: params.REASON`. Configure this
// repository as a shared library; it needs a headgate on the PATH or in the repository's node_modules.
def call(Map options = [:], String args) {
  // By the environment, and quoted by the shell: what somebody typed never becomes a command.
  int code = 0
  withEnv(["HEADGATE_ARGS=${args}", "HEADGATE_REASON=${options.reason ?: ''}"]) {
    code = sh(
      label: "headgate ${args}",
      script: 'set -f; exec npx --no-install headgate $HEADGATE_ARGS ${HEADGATE_REASON:+--reason "$HEADGATE_REASON"}',
      returnStatus: true
    )
  }
  switch (code) {
    case 0:
      break
    case 10:
      unstable("headgate ${args}: cannot tell")
      break
    case 13:
      error("headgate ${args}: the rolling update failed, and live serves what it had")
      break
    case 14:
      error("headgate ${args}: ROLLBACK FAILED, page somebody")
      break
    default:
      error("headgate ${args} ended with ${code}")
  }
  return code
}
