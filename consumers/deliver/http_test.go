package deliver

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRequest is what goes over the wire, to the letter.
func TestRequest(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	address := server(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got["line"], got["body"] = r.Method+" "+r.URL.EscapedPath(), string(body)
		for name, v := range r.Header {
			got[name] = strings.Join(v, ",")
		}
		w.WriteHeader(201)
		_, _ = io.WriteString(w, `{"data":{"id":820982911946154508}}`)
	})
	in := load(t, address, keyed)
	res := set(t, in).Deliver(t.Context(), request(t, in))
	want := map[string]string{
		"line": "POST /orders/A%2F1", "body": `{"id":"A/1","status":"open","total":{"amount":"12.50","currency":"EUR"}}`,
		"Authorization": "Bearer bearer-secret", "X-Api-Key": "value-secret", "X-Tenant": "tenant-secret", "Idempotency-Key": "key-1",
		"Seam-Event-Id": "e1", "Seam-Attempt": "3", "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"Content-Type": "application/json", "User-Agent": "seam", "Content-Length": "72",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if res.Took <= 0 {
		t.Error("it took no time")
	}
	res.Took = 0
	if diff := cmp.Diff(Result{Class: Delivered, Status: 201, Reference: "820982911946154508"}, res); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
}

// TestEveryStatus says of every status what it tells of the effect.
func TestEveryStatus(t *testing.T) {
	t.Parallel()
	in := load(t, "http://down", keyed)
	k, err := newHTTP(in, local)
	if err != nil {
		t.Fatal(err)
	}
	want := map[int]Class{501: Contract, 505: Contract}
	for class, list := range map[Class][]int{
		Delivered: {200, 201, 202, 204}, AlreadyDone: {409}, Rejected: {400, 404, 410, 413, 422},
		Retry: {408, 423, 425, 429, 503}, Credentials: {401, 403},
	} {
		for _, status := range list {
			want[status] = class
		}
	}
	for status := 100; status < 600; status++ {
		class, ok := want[status]
		switch {
		case ok:
		case status >= 500:
			class = Unknown
		default:
			class = Contract
		}
		if got := k.class(status, &in.Deliver[0]); got != class {
			t.Errorf("%d is %s, want %s", status, got, class)
		}
	}
}

// TestAnswers goes through answers as they come over the wire.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		status int
		header http.Header
		body   string
		want   Result
	}{
		{"no reference", 200, nil, `{"data":{}}`, Result{Class: Delivered, Status: 200}},
		{"reference of another kind", 200, nil, `{"data":{"id":[1]}}`, Result{Class: Delivered, Status: 200}},
		{"no JSON", 200, nil, `OK`, Result{Class: Delivered, Status: 200}},
		{"there before", 409, nil, `{"data":{"id":"x9"}}`, Result{Class: AlreadyDone, Status: 409, Reference: "x9"}},
		{"the business says no", 422, nil, "{\n  \"error\": \"sku unknown\"\n}", Result{Class: Rejected, Status: 422, Detail: `{ "error": "sku unknown" }`}},
		{"slow down", 429, http.Header{"Retry-After": {"7"}}, "", Result{Class: Retry, Status: 429, RetryAfter: 7 * time.Second}},
		{"slow down, as one carrier says it", 429, http.Header{"X-Retry-After": {"3"}}, "", Result{Class: Retry, Status: 429, RetryAfter: 3 * time.Second}},
		{"slow down for ever", 503, http.Header{"Retry-After": {"99999999"}}, "", Result{Class: Retry, Status: 503, RetryAfter: 24 * time.Hour}},
		{"slow down, in words", 503, http.Header{"Retry-After": {"soon"}}, "", Result{Class: Retry, Status: 503}},
		{"slow down since yesterday", 503, http.Header{"Retry-After": {"-5"}}, "", Result{Class: Retry, Status: 503}},
		{"a redirect is not followed", 302, http.Header{"Location": {"http://127.0.0.1:1/elsewhere"}}, "", Result{Class: Contract, Status: 302}},
		{"bytes that are no text", 422, nil, "\xff\xfe no", Result{Class: Rejected, Status: 422, Detail: "\uFFFD no"}},
		{"an echo of who we are", 422, nil, "bad: Bearer bearer-secret, value-secret, tenant-secret", Result{Class: Rejected, Status: 422, Detail: "bad: Bearer ***, ***, ***"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			address := server(t, func(w http.ResponseWriter, _ *http.Request) {
				for name, v := range tt.header {
					w.Header()[name] = v
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			in := load(t, address, keyed)
			res := set(t, in).Deliver(t.Context(), request(t, in))
			res.Took = 0
			if diff := cmp.Diff(tt.want, res); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRetryAfterDate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	h := http.Header{"Retry-After": {now.Add(90 * time.Second).Format(http.TimeFormat)}}
	if got := retryAfter(h, now); got != 90*time.Second {
		t.Errorf("%s, want 90s", got)
	}
	if got := retryAfter(h, now.Add(time.Hour)); got != 0 {
		t.Errorf("a date that has passed is %s, want 0", got)
	}
}

// TestExcerptIsShort and cuts no letter in two, and no secret that straddles the cut is left in halves.
func TestExcerptIsShort(t *testing.T) {
	t.Parallel()
	if got := excerpt(strings.Repeat("ü", 400)); len(got) > 300 || !strings.HasSuffix(got, "ü...") {
		t.Errorf("%d bytes: %q", len(got), got)
	}
	address := server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(422)
		_, _ = io.WriteString(w, strings.Repeat("x", 290)+"bearer-secret")
	})
	in := load(t, address, keyed)
	if res := set(t, in).Deliver(t.Context(), request(t, in)); strings.Contains(res.Detail, "bear") {
		t.Errorf("half a secret: %q", res.Detail)
	}
}

// TestWhoWeAreIsNotKept: an address may carry a password, a downstream may repeat what it was sent, and so may an error.
func TestWhoWeAreIsNotKept(t *testing.T) {
	t.Parallel()
	echo := server(t, func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		w.WriteHeader(422)
		_, _ = io.WriteString(w, password+" in "+r.Header.Get("Authorization"))
	})
	broken := raw(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		_, _ = io.WriteString(c, "HTTP/1.1 value-secret\r\n\r\n")
		c.Close()
	})
	for address, want := range map[string]string{
		strings.Replace(echo, "http://", "http://ann:url-secret@", 1): "*** in Basic ***",
		broken: `malformed HTTP status code "***"`,
	} {
		in := load(t, address, strings.Replace(keyed, "bearer: bearer-secret, ", "", 1))
		if res := set(t, in).Deliver(t.Context(), request(t, in)); !strings.HasSuffix(res.Detail, want) {
			t.Errorf("the detail is %q, want %q", res.Detail, want)
		}
	}
}

// TestNothingIsRepeatedBehindOurBack: Go's client sends a request with an idempotency key again when a kept connection breaks;
// then nobody would know of the first, and it would have its effect after the second was answered.
func TestNothingIsRepeatedBehindOurBack(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	address := server(t, func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) > 1 {
			_, _ = io.Copy(io.Discard, r.Body)
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(200)
	})
	in := load(t, address, keyed)
	s, r := set(t, in), request(t, in)
	s.mustDeliver(t, r, Delivered)
	s.mustDeliver(t, r, Unknown) // over the same connection
	if n := requests.Load(); n != 2 {
		t.Errorf("%d requests for two calls", n)
	}
}

// raw answers every connection by a function of it; what it wrote before closing is all the client sees.
func raw(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			handle(conn)
		}
	}()
	return "http://" + ln.Addr().String()
}

// TestTransport says of every way a call may fail whether an effect is possible.
func TestTransport(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := "http://" + closed.Addr().String()
	closed.Close()
	held := make(chan net.Conn, 16)
	t.Cleanup(func() {
		for {
			select {
			case c := <-held:
				c.Close()
			default:
				return
			}
		}
	})
	for _, tt := range []struct {
		name    string
		address string
		want    Class
		detail  string
	}{
		{"refused", refused, Retry, "refused"},
		{"no such host", "http://no.such.host.invalid", Retry, "no.such.host.invalid"},
		{"TLS with one who does not speak it", raw2https(server(t, func(http.ResponseWriter, *http.Request) {})), Retry, ""},
		{"hung up before an answer", raw(t, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			c.Close()
		}), Unknown, ""},
		{"hung up within the answer's head", raw(t, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-")
			c.Close()
		}), Unknown, ""},
		{"hung up within the answer's body: its status has been heard", raw(t, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = io.WriteString(c, "HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{\"da")
			c.Close()
		}), Delivered, ""},
		{"another protocol", raw(t, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = io.WriteString(c, "220 mail ready\r\n")
			c.Close()
		}), Unknown, ""},
		{"no answer", raw(t, func(c net.Conn) { held <- c }), Unknown, "no answer within the timeout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := load(t, tt.address, keyed)
			limit := time.Minute
			if strings.Contains(tt.detail, "timeout") {
				limit = time.Second
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			res := set(t, in).Deliver(ctx, request(t, in))
			if res.Class != tt.want || !strings.Contains(res.Detail, tt.detail) {
				t.Errorf("%s (%s), want %s (%s)", res.Class, res.Detail, tt.want, tt.detail)
			}
			if tt.want != Delivered && (res.Detail == "" || strings.Contains(res.Detail, "A%2F1")) {
				t.Errorf("the detail %q says nothing, or too much", res.Detail)
			}
		})
	}
}

func raw2https(address string) string { return strings.Replace(address, "http:", "https:", 1) }

// TestMappingFaultsSendNothing is the class that says so.
func TestMappingFaultsSendNothing(t *testing.T) {
	t.Parallel()
	calls := 0
	address := server(t, func(http.ResponseWriter, *http.Request) { calls++ })
	for name, text := range map[string]string{
		`required member "note" is empty`: strings.Replace(keyed, "required: [id]", "required: [note]", 1),
		"url: {order.number} is empty":    strings.Replace(keyed, "{order.id}", "{order.number}", 1),
		"member id":                       strings.Replace(keyed, "{id: order.id,", "{id: 'order.lines[3].sku',", 1),
	} {
		in := load(t, address, text)
		res := set(t, in).Deliver(t.Context(), request(t, in))
		if res.Class != Unmappable || !strings.Contains(res.Detail, name) {
			t.Errorf("%s: %s (%s)", name, res.Class, res.Detail)
		}
	}
	if calls != 0 {
		t.Errorf("%d calls, want none", calls)
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	probed := strings.Replace(keyed, "{key: Idempotency-Key, remembers: 24h}", `{probe: "GET URL/orders?ref={reference}"}`, 1)
	for _, tt := range []struct {
		status int
		want   Class
	}{{200, AlreadyDone}, {204, AlreadyDone}, {404, Retry}, {401, Credentials}, {403, Credentials}, {410, Unknown}, {429, Unknown}, {500, Unknown}, {503, Unknown}, {302, Unknown}} {
		var line, auth string
		address := server(t, func(w http.ResponseWriter, r *http.Request) {
			line, auth = r.Method+" "+r.URL.RequestURI(), r.Header.Get("Authorization")
			w.WriteHeader(tt.status)
		})
		in := load(t, address, probed)
		res := set(t, in).Probe(t.Context(), request(t, in))
		if res.Class != tt.want {
			t.Errorf("%d is %s, want %s", tt.status, res.Class, tt.want)
		}
		if line != "GET /orders?ref=key-1" || auth != "Bearer bearer-secret" {
			t.Errorf("asked %q as %q", line, auth)
		}
	}
	in := load(t, "http://127.0.0.1:1", probed)
	if res := set(t, in).Probe(t.Context(), request(t, in)); res.Class != Unknown {
		t.Errorf("a probe that nobody heard is %s: the call would be repeated", res.Class)
	}
	in = load(t, "http://127.0.0.1:1", keyed)
	if res := set(t, in).Probe(t.Context(), request(t, in)); res.Class != Unknown || !strings.Contains(res.Detail, "no probe") {
		t.Errorf("without a probe: %s (%s)", res.Class, res.Detail)
	}
}

// TestClassesAreComplete keeps the list that switches and tests range over.
func TestClassesAreComplete(t *testing.T) {
	t.Parallel()
	for _, c := range []Class{Delivered, AlreadyDone, Rejected, Retry, Unknown, Credentials, Contract, Unmappable} {
		if !slices.Contains(Classes, c) {
			t.Errorf("%s is not in Classes", c)
		}
	}
}

// TestSendBy sends nothing of a request whose time to be sent is over, and all of the next one.
func TestSendBy(t *testing.T) {
	t.Parallel()
	var came atomic.Int32
	address := server(t, func(w http.ResponseWriter, _ *http.Request) { came.Add(1); w.WriteHeader(201) })
	in := load(t, address, keyed)
	s, r := set(t, in), request(t, in)
	for _, tt := range []struct {
		by   time.Time
		want Class
		came int32
	}{
		{time.Time{}, Delivered, 1},
		{time.Now().Add(-time.Second), Retry, 1}, // on the connection of the one before
		{time.Now().Add(time.Minute), Delivered, 2},
	} {
		r.SendBy = tt.by
		if res := s.Deliver(t.Context(), r); res.Class != tt.want || came.Load() != tt.came {
			t.Errorf("by %v: %s (%s) and %d requests came, want %s and %d", tt.by, res.Class, res.Detail, came.Load(), tt.want, tt.came)
		}
	}
}
