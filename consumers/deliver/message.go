package deliver

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// field is one line of a request's head.
type field struct{ name, value string }

// message is one request, whatever carries it.
type message struct {
	method string
	url    *url.URL
	fixed  []field // the same for all requests of a route
	fields []field
	body   []byte
	signed bool      // as Standard Webhooks has it
	by     time.Time // when it must have left; zero for no bound
}

// reply is an answer.
type reply struct {
	status int
	header http.Header
	body   []byte // the first maxAnswer bytes
	broken bool   // the body ended before its time
	keep   bool   // the connection can be used again
}

// carrier takes messages to where they are addressed, each once. sent is false only when it is certain that nothing of the
// message has left; the error is then of that.
type carrier interface {
	carry(ctx context.Context, m message) (r reply, sent bool, err error)
}

// append writes the message as HTTP/1.1 has it.
func (m *message) append(b []byte) []byte {
	b = append(b, m.method...)
	b = append(b, ' ')
	b = append(b, m.url.RequestURI()...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, m.url.Host...)
	b = append(b, "\r\n"...)
	for _, list := range [2][]field{m.fixed, m.fields} {
		for _, f := range list {
			b = append(b, f.name...)
			b = append(b, ": "...)
			b = append(b, f.value...)
			b = append(b, "\r\n"...)
		}
	}
	if m.method != http.MethodGet && m.method != http.MethodHead {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(len(m.body)), 10)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	return append(b, m.body...)
}
