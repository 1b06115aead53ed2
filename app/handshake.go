package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/binaryandbeyond/seam/outbound"
	"github.com/binaryandbeyond/seam/topology"
)

const (
	handshakeLimit = 5 * time.Second // of one question: a start waits for all of them at once
	maxHandshake   = 1 << 20         // bytes read of an answer
)

// secured is an error for each integration that runs here and whose TLS files cannot be used.
func (c *Config) secured() error {
	var errs []error
	for i := range c.Topology.Integrations {
		if in := &c.Topology.Integrations[i]; c.runs(in.Name) {
			if err := outbound.Follow(in.TLS).Ready(); err != nil {
				errs = append(errs, fmt.Errorf("%s (%s): %w", in.Name, in.Mark, err))
			}
		}
	}
	return errors.Join(errs...)
}

// handshakes asks the downstreams that run here and say so which environment they are. Another one refuses the start; one that
// does not answer is a warning, as it may be away.
func (c *Config) handshakes(ctx context.Context) error {
	if err := c.secured(); err != nil {
		return err
	}
	var g errgroup.Group
	errs := make([]error, len(c.Topology.Integrations))
	for i := range c.Topology.Integrations {
		in := &c.Topology.Integrations[i]
		if in.Environment == nil || !c.runs(in.Name) {
			continue
		}
		g.Go(func() error {
			said, err := c.ask(ctx, in)
			if err != nil {
				c.Logger.Warn("a downstream did not say which environment it is", "integration", in.Name, "err", err)
				return nil
			}
			if want := in.Environment.Want(c.Topology.Environment); said != want {
				errs[i] = fmt.Errorf("this is environment %s, and %s at %s says that it is %q, not %q: %s points to another environment's",
					c.Topology.Environment, in.Name, redacted(in.Environment.Get), said, want, in.Mark)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return errors.Join(errs...)
}

// redacted is where an address leads to, without what authenticates.
func redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "its address" // Load has read it
	}
	return u.Scheme + "://" + u.Host
}

// ask makes the call and finds what it says.
func (c *Config) ask(ctx context.Context, in *topology.Integration) (string, error) {
	h, guard, files := in.Environment, c.Topology.Outbound(), outbound.Follow(in.TLS)
	ctx, cancel := context.WithTimeout(ctx, handshakeLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.Get, nil)
	if err != nil {
		return "", outbound.Bare(err)
	}
	if h.Auth.OAuth2 != nil {
		token, err := guard.Tokens(h.Auth.OAuth2.Grant(), handshakeLimit, files).Token(ctx)
		if err != nil {
			return "", err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if h.Auth.Bearer != "" {
		req.Header.Set("Authorization", "Bearer "+h.Auth.Bearer.Reveal())
	}
	if h.Auth.Header != "" {
		req.Header.Set(h.Auth.Header, h.Auth.Value.Reveal())
	}
	resp, err := guard.Client(handshakeLimit, files).Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("it answered %s", resp.Status)
	}
	if h.Header != "" {
		return resp.Header.Get(h.Header), nil
	}
	var body any
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxHandshake)).Decode(&body); err != nil {
		return "", fmt.Errorf("its answer is no JSON: %w", err)
	}
	for _, name := range strings.Split(h.JSON, ".") {
		m, _ := body.(map[string]any)
		body = m[name]
	}
	said, _ := body.(string)
	return said, nil
}
