//go:build race

package consumers

// raceEnabled tells that this is a build with the race detector, which crashes in long simulations (ThreadSanitizer's stack
// depot runs over).
const raceEnabled = true
