package sim

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Post is one webhook or call-back and how its sending went.
type Post struct {
	Source    string // shopify, admin, warehouse, fraud, crm, enrichment
	ID        string // X-Shopify-Webhook-Id or webhook-id: the same for every attempt
	Type      string // orders/create, fulfillment.shipped
	Subject   string // order or customer ID
	Body      []byte
	Attempts  int
	TimedOut  int    // attempts that the sender gave up on before the answer, though the edge may have taken them
	Taken     bool   // a 2xx was seen: the sender is content
	GaveUp    bool   // the sender's attempts are used up
	Status    int    // of the last answer; 0 when none came
	Answer    string // start of the last answer
	EventID   string // X-Shopify-Event-Id; empty elsewhere
	impatient int    // attempts that give up early
	header    func(now time.Time) http.Header
}

// The sender's patience: how long one attempt waits, how often it is made, and the first and longest pause between.
const (
	answerWithin = 5 * time.Second // real time, as is the edge's own work
	maxAttempts  = 19
	firstRetry   = 30 * time.Second // of the story
	longestRetry = 10 * time.Minute // of the story
)

// Posts lists every webhook and call-back that was begun, in no order; bodies are shared and must not be changed.
func (w *World) Posts() []Post {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]Post, 0, len(w.posts))
	for _, p := range w.posts {
		out = append(out, *p)
	}
	return out
}

// send begins a post after d of the story and repeats it until it is taken.
func (w *World) send(d time.Duration, p Post) {
	w.due.after(time.Duration(float64(d)*w.cfg.Scale), func(ctx context.Context) { w.attempt(ctx, &p, firstRetry) })
}

// attempt makes one try and plans the next where needed.
func (w *World) attempt(ctx context.Context, p *Post, next time.Duration) {
	p.Attempts++
	wait := answerWithin
	if p.impatient > 0 {
		wait = time.Duration(1+p.Attempts) * time.Millisecond
	}
	p.Status, p.Answer = w.try(ctx, p, wait)
	switch {
	case p.impatient > 0: // whatever came, came too late for this sender
		p.impatient--
		p.TimedOut++
	default:
		p.Taken = p.Status >= 200 && p.Status < 300
	}
	p.GaveUp = !p.Taken && p.Attempts >= maxAttempts
	w.mu.Lock()
	now := *p
	w.posts[p.Source+"/"+p.ID] = &now
	w.mu.Unlock()
	if p.Taken || p.GaveUp || ctx.Err() != nil {
		return
	}
	w.due.after(w.scaled(next), func(ctx context.Context) { w.attempt(ctx, p, min(2*next, longestRetry)) })
}

// try is one request; status 0 when no answer came in time.
func (w *World) try(ctx context.Context, p *Post, wait time.Duration) (int, string) {
	edge := w.cfg.EdgeURL()
	if edge == "" {
		return 0, "no edge yet"
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(edge, "/")+"/in/"+p.Source, bytes.NewReader(p.Body))
	if err != nil {
		return 0, err.Error()
	}
	req.Header = p.header(w.cfg.Now())
	resp, err := w.client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 300)) // for people; a cut answer is still an answer
	return resp.StatusCode, string(text)
}

// tell posts a call-back in the Standard Webhooks scheme after d of the story: the event's type, and its data under
// the system's own clock. It is signed anew at each attempt, under one id.
func (w *World) tell(s *System, source, eventType, subject string, d time.Duration, data func() map[string]any) {
	w.due.after(time.Duration(float64(d)*w.cfg.Scale), func(ctx context.Context) {
		stampText := s.clock()
		body, err := json.Marshal(map[string]any{"type": eventType, "timestamp": stampText, "data": data()})
		if err != nil {
			panic(fmt.Sprintf("sim: %s does not marshal: %v", eventType, err)) // plain maps of texts always do
		}
		id := "msg_" + shortHash(source, eventType, subject, stampText, string(body))
		p := Post{Source: source, ID: id, Type: eventType, Subject: subject, Body: body}
		p.header = func(now time.Time) http.Header { return StandardHeader(w.secrets[source], id, now, body) }
		w.attempt(ctx, &p, firstRetry)
	})
}

// StandardHeader is the header of a Standard Webhooks delivery signed with a "whsec_" secret.
func StandardHeader(secret, id string, now time.Time, body []byte) http.Header {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		key = []byte(secret) // a secret that is no base64 signs as it stands; the receiver will refuse it
	}
	at := strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.", id, at)
	mac.Write(body)
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", at)
	h.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return h
}

// shortHash is a stable id of its parts.
func shortHash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}
