package app

import (
	"net/http"
	"time"
)

const (
	// maxConnections of the edge: with the largest body of each a GiB at most, and far more than load balancers keep open.
	maxConnections = 1024
	// bodyTime is how long a request to the edge may take to come whole, where its source does not say less.
	bodyTime = 30 * time.Second
	// answerTime is how long a request may take from its head to its answer, where its source does not take longer.
	answerTime = time.Minute
)

// bodiesIn bounds the time in which the body of any request comes, also of one that no source takes: what a handler leaves unread is
// read by the server.
func bodiesIn(next http.Handler, within time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != http.NoBody {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(within)) // a writer without deadlines has no connection
		}
		next.ServeHTTP(w, r)
	})
}
