package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/binaryandbeyond/seam/drills/sim"
)

// sender is all sources: it signs, posts, and posts again until it is answered with 200.
type sender struct {
	edge    string
	secrets map[string]string
	client  *http.Client
	tally   *tally
}

// secretsOf: sources sign with the secret of this variable.
var secretsOf = map[string]string{
	"shopify": "SHOPIFY_SECRET", "admin": "ADMIN_WEBHOOK_SECRET", "warehouse": "WAREHOUSE_WEBHOOK_SECRET", "fraud": "FRAUD_WEBHOOK_SECRET",
}

func newSender(edge string, tl *tally) *sender {
	s := &sender{edge: edge, secrets: map[string]string{}, tally: tl, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	for source := range secretsOf {
		s.secrets[source] = "whsec_" + base64.StdEncoding.EncodeToString([]byte("a secret for tests: "+source))
	}
	return s
}

// env is what the edge needs to know the sources.
func (s *sender) env() map[string]string {
	out := map[string]string{}
	for source, variable := range secretsOf {
		out[variable] = s.secrets[source]
	}
	return out
}

// The patience of a source: Shopify's for one answer; the pauses are shorter than any real one's.
const (
	answerWithin = 5 * time.Second
	firstPause   = 100 * time.Millisecond
	longestPause = 2 * time.Second
)

// sendAll sends every post when it is due, and returns when all were taken.
func (s *sender) sendAll(ctx context.Context, posts []*post) error {
	var wg sync.WaitGroup
	errs := make([]error, len(posts))
	for i, p := range posts {
		wg.Go(func() { errs[i] = s.send(ctx, p) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// send posts until 200 is answered, as a source does on anything else.
func (s *sender) send(ctx context.Context, p *post) error {
	pause, why := p.due, ""
	for next := firstPause; ; next = min(2*next, longestPause) {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%s %s of %s was not taken in %d attempts: %s", p.source, p.kind, p.subject, p.attempts, why)
		}
		wait := answerWithin
		if p.hasty > p.attempts {
			wait = time.Duration(1+2*p.attempts) * time.Millisecond
		}
		p.attempts++
		status, text := s.try(ctx, p, wait)
		if status == http.StatusOK {
			p.taken = time.Now()
			s.tally.add("taken")
			return nil
		}
		s.tally.add("refused")
		pause, why = next, fmt.Sprintf("%d %s", status, text)
	}
}

// try is one attempt; status 0 when no answer came in time.
func (s *sender) try(ctx context.Context, p *post, wait time.Duration) (status int, text string) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.edge+"/in/"+p.source, bytes.NewReader(p.body))
	if err != nil {
		return 0, err.Error()
	}
	if req.Header = sim.StandardHeader(s.secrets[p.source], p.delivery, time.Now(), p.body); p.source == "shopify" {
		req.Header = sim.ShopifyHeader(s.secrets[p.source], sim.Post{ID: p.delivery, Type: p.topic, Body: p.body}, time.Now())
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 300))
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(answer)
}
