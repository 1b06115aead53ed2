//go:build race

package consumers

// raceEnabled tells that this is a build with the race detector, whose own tables run over in long simulations (a crash in
// ThreadSanitizer's stack depot): there a few seeds must do, and .ci/run runs more without it.
const raceEnabled = true
