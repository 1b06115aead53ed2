package consumers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

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
	return &factsAt{base: strings.TrimSuffix(address, "/"), client: &http.Client{}}, nil
}

type factsAt struct {
	base   string
	client *http.Client
}

// Facts asks once, within ctx.
func (f *factsAt) Facts(ctx context.Context, integration, order string) (*topology.FactSet, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.base+"/orders/"+url.PathEscape(order)+"/facts?for="+url.QueryEscape(integration), nil)
	if err != nil {
		return nil, err
	}
	resp, err := f.client.Do(req)
	if err != nil {
		var urlErr *url.Error
		if errors.As(err, &urlErr) {
			err = urlErr.Err // without the order's id
		}
		return nil, fmt.Errorf("console %s: %w", f.base, err)
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
