package sim

import (
	"time"

	"golang.org/x/time/rate"
)

// Fault changes how a system answers from now on; faults add up until Off.
type Fault func(*faults)

// faults are those in force. The zero value is a healthy system.
type faults struct {
	down        bool
	latency     time.Duration
	keyDisabled bool
	unavailable bool
	retryAfter  string
	statuses    map[string]int
	loseEvery   int
	requests    int
	limit       *rate.Limiter
	silent      bool
}

// Off ends every fault: the system is healthy again, on the same address.
func Off() Fault { return func(f *faults) { *f = faults{} } }

// Down closes the listener and cuts every open connection: connections are refused.
func Down() Fault { return func(f *faults) { f.down = true } }

// Latency holds each answer back by d of the story's time. The effect is made before the wait, as it is in systems that
// do the work and then are slow to say so: a caller that gave up does not know.
func Latency(d time.Duration) Fault { return func(f *faults) { f.latency = d } }

// KeyDisabled answers 401 to the right token, as when someone switched the API key off.
func KeyDisabled() Fault { return func(f *faults) { f.keyDisabled = true } }

// Unavailable answers 503 without an effect; retryAfter becomes the Retry-After header where it is not empty.
func Unavailable(retryAfter string) Fault {
	return func(f *faults) { f.unavailable, f.retryAfter = true, retryAfter }
}

// Status changes the code of the answers that would have been 2xx: the work is done, the code is another. method and
// path are those of the route ("POST", "/v1/fulfillments").
func Status(method, path string, code int) Fault {
	return func(f *faults) {
		statuses := map[string]int{method + " " + path: code}
		for k, v := range f.statuses {
			if _, ok := statuses[k]; !ok {
				statuses[k] = v
			}
		}
		f.statuses = statuses
	}
}

// LoseAnswer makes the effect of every nth writing request and then resets the connection instead of answering.
func LoseAnswer(every int) Fault { return func(f *faults) { f.loseEvery, f.requests = every, 0 } }

// RateLimit answers 429 with Retry-After: 1 beyond n requests a real second.
func RateLimit(n int) Fault {
	return func(f *faults) { f.limit = rate.NewLimiter(rate.Limit(n), n) }
}

// Silent200 says 200 to every writing request and does nothing.
func Silent200() Fault { return func(f *faults) { f.silent = true } }
