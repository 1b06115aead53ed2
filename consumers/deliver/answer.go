package deliver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/outbound"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// meaning is what an answer tells: by the type of its problem document (RFC 9457) where the route declares that, else by its
// status. Titles and details are for people.
func (k *httpKind) meaning(got reply, route *topology.Route) Class {
	if len(route.Answers.Problems) == 0 {
		return k.class(got.status, route)
	}
	media, _, err := mime.ParseMediaType(got.header.Get("Content-Type"))
	if err == nil && media == "application/problem+json" {
		if c, ok := route.Answers.Problems[reference(got.body, "type")]; ok {
			return Class(c) // validated when the file was read
		}
	}
	return k.class(got.status, route)
}

// class says what a status means for a route.
func (k *httpKind) class(status int, route *topology.Route) Class {
	a := route.Answers
	switch {
	case slices.Contains(a.Delivered, status):
		return Delivered
	case slices.Contains(a.AlreadyDone, status):
		return AlreadyDone
	case slices.Contains(a.Rejected, status):
		return Rejected
	case slices.Contains(a.Retry, status):
		return Retry
	}
	switch status { // what HTTP itself says: RFC 9110, RFC 6585, RFC 8470
	case 401, 403:
		return Credentials
	case 408, 425, 429, 503:
		return Retry
	case 501, 505:
		return Contract // it will never know this method or version
	}
	if status >= 500 { // the gateways' own, such as 520 to 530, too: whether the origin acted is not known
		return Unknown
	}
	return Contract
}

// transportResult classes a call that got no answer. Nothing was done if nothing was sent.
func (k *httpKind) transportResult(ev *schemas.Event, err error, sent bool) Result {
	err = outbound.Bare(err)
	class := Unknown
	switch {
	case sent:
	case outbound.Barred(err):
		class = Barred
	default:
		class = Retry
	}
	text := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		text = "no answer within the timeout"
	}
	return Result{Class: class, Detail: excerpt(schemas.MaskFor(ev, k.mask.Load().Replace(text)))}
}

// reference finds the downstream's id in its JSON answer by a dotted path; empty when it is not there.
func reference(body []byte, path string) string {
	if path == "" {
		return ""
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return ""
	}
	for _, key := range strings.Split(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		v = m[key]
	}
	switch t := v.(type) {
	case string:
		return t
	case json.Number:
		return t.String()
	}
	return ""
}

// retryAfter reads Retry-After as seconds or as a date, and ShipBob's x-retry-after; 0 when there is none. A day is the most
// that is believed.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		v = h.Get("X-Retry-After")
	}
	if v == "" {
		return 0
	}
	d := time.Duration(0)
	if secs, err := strconv.ParseInt(strings.TrimSpace(v), 10, 32); err == nil {
		d = time.Duration(secs) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), 24*time.Hour)
}

// excerpt is a text on one line, at most 300 bytes of it, and valid UTF-8.
func excerpt(s string) string {
	s = strings.ToValidUTF8(strings.Join(strings.Fields(s), " "), "\uFFFD")
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:297], "") + "..."
	}
	return s
}
