package producers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/binaryandbeyond/seam/outbound"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Polls. Webhooks are not guaranteed: a poll asks the platform's API for what changed since its cursor, with an overlap,
// and publishes each order's state. The identity is the order and its updated_at, so that one state polled twice is one
// event, and business ids equal the webhooks', so that what came by webhook too is known downstream. What never came by
// webhook is told by facts.go.

const (
	pollLimit   = 250      // orders a page; the greatest that Shopify gives
	pollMaxBody = 64 << 20 // bytes of a page
	pollAtOnce  = 64       // orders of a page that wait for their acknowledgement together
	// firstLook is how far back a poll without a cursor begins: webhooks can be a day late.
	firstLook = 24 * time.Hour
)

// poll asks one API.
type poll struct {
	e      *Edge
	source *topology.Source
	speaks *topology.Source // the webhook source whose orders these are
	client *outbound.Client
	state  pollState
	loaded bool
}

// pollState is what a poll remembers between processes.
type pollState struct {
	Cursor time.Time            `json:"cursor"` // newest updated_at that is published
	Seen   map[string]time.Time `json:"seen"`   // deliveries within the overlap, by id, with their updated_at
}

func newPoll(e *Edge, s *topology.Source) (*poll, error) {
	of := e.cfg.Topology.Source(s.Of)
	if of == nil || of.Platform != topology.Shopify && of.Platform != topology.WooCommerce {
		return nil, fmt.Errorf("of: %q is not a shopify or woocommerce source: name the one whose missed webhooks this finds", s.Of)
	}
	if u, err := url.Parse(s.URL); err != nil || u.Host == "" {
		return nil, fmt.Errorf("url: %q is not an absolute URL", s.URL)
	}
	p := &poll{e: e, source: s, speaks: of, client: e.cfg.Topology.Outbound().Client(30*time.Second, nil)}
	return p, nil
}

// run asks every source.Every until ctx ends.
func (p *poll) run(ctx context.Context) error {
	every := p.source.Every.D()
	if every <= 0 {
		every = time.Minute
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if err := p.ask(ctx); err != nil && ctx.Err() == nil {
			p.e.cfg.Logger.Warn("poll not finished", "source", p.source.Name, "error", err)
		} else {
			p.e.metrics.lastLook.WithLabelValues(p.source.Name).Set(unix(p.e.cfg.Now()))
		}
		timer.Reset(every)
	}
}

// ask reads every page since the cursor less the overlap, and moves the cursor after each page is acknowledged.
func (p *poll) ask(ctx context.Context) error {
	if err := p.load(); err != nil {
		return err
	}
	since := p.state.Cursor.Add(-p.source.Overlap.D())
	next := p.page(since)
	for next != "" {
		content, link, err := p.get(ctx, next)
		if err != nil {
			return err
		}
		full, last, err := p.take(ctx, content)
		if err != nil {
			return err
		}
		p.forget(since)
		if err := p.save(); err != nil {
			return err
		}
		switch {
		case link != "":
			next = link
		case full && !last.After(since):
			return fmt.Errorf("%d orders share the time %s and the API gives no next link: the rest of them cannot be asked for", pollLimit, last)
		case full:
			since, next = last, p.page(last)
		default:
			next = ""
		}
	}
	return nil
}

// page is the URL of the orders updated since a time.
func (p *poll) page(since time.Time) string {
	u, err := url.Parse(p.source.URL)
	if err != nil {
		return "" // checked by newPoll
	}
	q := u.Query()
	q.Set("updated_at_min", since.UTC().Format(time.RFC3339))
	q.Set("order", "updated_at asc")
	q.Set("limit", strconv.Itoa(pollLimit))
	if p.speaks.Platform == topology.Shopify && q.Get("status") == "" {
		q.Set("status", "any") // Shopify gives open orders only otherwise
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// get reads a page and the URL of the next one, where the answer names it and it is on the same host.
func (p *poll) get(ctx context.Context, page string) (content []byte, next string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return nil, "", fmt.Errorf("poll: %w", outbound.Bare(err))
	}
	req.Header.Set("Accept", "application/json")
	if token := p.source.APIToken().Reveal(); token != "" {
		if p.speaks.Platform == topology.Shopify {
			req.Header.Set("X-Shopify-Access-Token", token)
		} else {
			req.Header.Set("Authorization", "Bearer "+token)
		}
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, "", fmt.Errorf("poll: %w", err)
	}
	defer resp.Body.Close()
	content, err = io.ReadAll(io.LimitReader(resp.Body, pollMaxBody+1))
	switch {
	case err != nil:
		return nil, "", fmt.Errorf("poll: %w", err)
	case resp.StatusCode != http.StatusOK:
		return nil, "", fmt.Errorf("poll: %s answered %s", req.URL.Host, resp.Status)
	case len(content) > pollMaxBody:
		return nil, "", fmt.Errorf("poll: the answer has more than %d bytes", pollMaxBody)
	}
	for _, link := range strings.Split(resp.Header.Get("Link"), ",") {
		target, rel, _ := strings.Cut(strings.TrimSpace(link), ";")
		u, err := req.URL.Parse(strings.Trim(target, "<> "))
		if strings.Contains(rel, `rel="next"`) && err == nil && u.Host == req.URL.Host && u.Scheme == req.URL.Scheme {
			next = u.String()
		}
	}
	return content, next, nil
}

// take publishes the orders of a page. full tells that there may be more; last is the newest updated_at.
func (p *poll) take(ctx context.Context, content []byte) (full bool, last time.Time, err error) {
	root, err := parseUpTo(content, math.MaxInt)
	if err != nil {
		return false, last, fmt.Errorf("poll: the answer is not exact JSON: %w", err)
	}
	list := root
	if v := root.get("orders"); v != nil {
		list = v
	}
	if list.kind != kindArray {
		return false, last, fmt.Errorf("poll: the answer holds no list of orders but %s", root.names())
	}
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("no acknowledgement within a minute"))
	defer cancel()
	published := map[string]time.Time{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(pollAtOnce)
	for _, n := range list.kids {
		raw := content[n.from:n.to]
		n.up, n.name = nil, ""
		d := &delivery{source: p.source, header: http.Header{"Content-Type": {"application/json"}}, body: raw, received: p.e.cfg.Now(), trace: p.e.begun()}
		r, updated := p.read(d, n)
		if updated.After(last) {
			last = updated
		}
		if _, known := p.state.Seen[r.id]; known {
			continue
		}
		published[r.id] = updated
		p.e.look(p.source, polledTopic, n)
		p.e.metrics.received.WithLabelValues(p.source.Name).Inc()
		p.e.metrics.came(p.source.Name, d.received)
		g.Go(func() error {
			_, err := p.e.publish(ctx, d, r)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return false, last, err
	}
	maps.Copy(p.state.Seen, published)
	if last.After(p.state.Cursor) {
		p.state.Cursor = last
	}
	return len(list.kids) >= pollLimit, last, nil
}

// read turns one order into its state and the facts in it.
func (p *poll) read(d *delivery, n *node) (*reading, time.Time) {
	t, updatedAt := &taker{}, "updated_at"
	if p.speaks.Platform == topology.WooCommerce {
		t, updatedAt = &taker{time: wooTime}, "date_modified_gmt"
	}
	r := &reading{origin: origin{"/poll/" + p.source.Name, d.rawRef()}}
	id := t.need(n, "id", "an order without an id cannot be filed")
	if v := n.get(updatedAt); v.leaf() && id != "" {
		r.id = id + "/" + v.text
	}
	var o *schemas.Order
	if p.speaks.Platform == topology.WooCommerce {
		o = wooOrder(t, n)
	} else {
		o = shopifyOrder(t, n)
	}
	ev := d.event(r.origin, "", schemas.OrderUpdated, id, o.UpdatedAt)
	ev.System, ev.Order = p.speaks.System, o
	if v := n.get(updatedAt); v.leaf() {
		ev.SourceVersion = v.text
	}
	ev.BusinessID = business(ev, "", versionText(o.UpdatedAt))
	t.rest(n, ev.Extensions)
	r.add(ev, "", t)
	if t.err == nil {
		facts := &stateFacts{d, r, ev}
		facts.tell()
		facts.tellMissed()
		for _, fact := range r.events {
			fact.System = p.speaks.System
		}
	}
	return r, ev.Time
}

// forget drops what the next overlap will not reach.
func (p *poll) forget(since time.Time) {
	for id, at := range p.state.Seen {
		if at.Before(since) {
			delete(p.state.Seen, id)
		}
	}
}

// stateFile is where the cursor is; empty without a directory.
func (p *poll) stateFile() string {
	if p.e.cfg.SpoolDir == "" {
		return ""
	}
	return filepath.Join(p.e.cfg.SpoolDir, "poll", p.source.Name+".json")
}

func (p *poll) load() error {
	if p.loaded {
		return nil
	}
	p.state = pollState{Cursor: p.e.cfg.Now().Add(-firstLook), Seen: map[string]time.Time{}}
	if file := p.stateFile(); file != "" {
		content, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(content, &p.state)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("poll: cursor %s: %w (delete it to begin a day back)", file, err)
		}
		if p.state.Seen == nil {
			p.state.Seen = map[string]time.Time{}
		}
	}
	p.loaded = true
	return nil
}

func (p *poll) save() error {
	file := p.stateFile()
	if file == "" {
		return nil
	}
	content, err := json.Marshal(p.state)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o700)
	}
	if err == nil {
		err = writeDurable(file, content)
	}
	if err != nil {
		return fmt.Errorf("poll: cursor: %w", err)
	}
	return nil
}
