package producers

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Quarantine reads everything that is kept in quarantine as of now, oldest first. options say how to reach the cluster. The
// topic's retention ends it (90 days by default); a delivery that was quarantined twice is given once, as it was last.
func Quarantine(ctx context.Context, options []kgo.Opt, serde *schemas.Serde, topo *topology.Topology) ([]*schemas.Quarantined, error) {
	topic := topo.TopicName(topology.TopicQuarantine)
	byID := map[schemas.EventID]*schemas.Quarantined{}
	err := topology.ReadTopic(ctx, options, topic, func(rec *kgo.Record) error {
		q, err := serde.DecodeQuarantined(ctx, rec.Value)
		if err == nil {
			byID[q.ID] = q
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make([]*schemas.Quarantined, 0, len(byID))
	for _, q := range byID {
		out = append(out, q)
	}
	slices.SortFunc(out, func(a, b *schemas.Quarantined) int { return a.ReceivedAt.Compare(b.ReceivedAt) })
	return out, nil
}
