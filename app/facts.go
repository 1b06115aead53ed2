package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/binaryandbeyond/seam/consumers"
	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/topology"
)

// catchUp is how long a question for facts waits for the view to take in what came; what it then does not know is refused by
// the worker, which asks again.
const catchUp = time.Second

// facts is whom the workers of this process ask for facts: its own view, else the console at Config.Facts. It is nil where
// nobody needs any, and an error where somebody does and there is neither.
func (c *Config) facts(view *reconcile.View) (consumers.Facts, error) {
	if view != nil {
		return FactsOf(view), nil
	}
	if c.Facts != "" {
		return consumers.FactsAt(c.Facts)
	}
	for i := range c.Topology.Integrations {
		if in := &c.Topology.Integrations[i]; c.runs(in.Name) && in.TellsFacts() {
			return nil, fmt.Errorf("integration %s is told facts (%s), and nobody here knows any: run the role reconcile in this process too, or give --facts (SEAM_FACTS) the URL of the console of the process that does", in.Name, in.Mark)
		}
	}
	return nil, nil
}

// FactsOf asks a view of this process, which waits a moment for what came.
func FactsOf(view *reconcile.View) consumers.Facts { return viewFacts{view} }

type viewFacts struct{ view *reconcile.View }

// Facts asks once, within ctx.
func (v viewFacts) Facts(ctx context.Context, integration, order string) (*topology.FactSet, error) {
	short, cancel := context.WithTimeout(ctx, catchUp)
	_ = v.view.CaughtUp(short) // how far it came stands in the answer
	cancel()
	f, err := v.view.Facts(ctx, order, reconcile.FactsQuery{For: integration})
	if errors.Is(err, reconcile.ErrNotFound) {
		return topology.NothingKnown(), nil
	}
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(f) // as the console answers, so that both ways are one
	if err != nil {
		return nil, err
	}
	return topology.ParseFactSet(b)
}
