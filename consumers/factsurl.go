package consumers

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/binaryandbeyond/seam/outbound"
	"github.com/binaryandbeyond/seam/topology"
)

// maxFacts is how much of an answer with facts is read: a hundred lines with their stock take a tenth of it.
const maxFacts = 4 << 20

// FactsAt asks a console elsewhere for facts: GET <address>/orders/{id}/facts?for={integration}. address is its URL; an error
// names what is wrong with it.
func FactsAt(address string) (Facts, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("facts: %q is not the http address of a console", address)
	}
	// A console stands within, and where it does is said by who starts the process.
	return &factsAt{base: strings.TrimSuffix(address, "/"), client: outbound.Within().Client(0, nil)}, nil
}

type factsAt struct {
	base   string
	client *outbound.Client
}

// Facts asks once, within ctx.
func (f *factsAt) Facts(ctx context.Context, integration, order string) (*topology.FactSet, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.base+"/orders/"+url.PathEscape(order)+"/facts?for="+url.QueryEscape(integration), nil)
	if err != nil {
		return nil, err
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxFacts))
	if err != nil {
		return nil, fmt.Errorf("console %s: %w", f.base, err)
	}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusConflict:
		return topology.ParseFactSet(body)
	case http.StatusNotFound:
		return topology.NothingKnown(), nil
	}
	return nil, fmt.Errorf("console %s answered %d: %.200q", f.base, resp.StatusCode, body)
}
