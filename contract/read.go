package contract

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// ReadConfig says where to read: nothing but brokers and a registry is needed, no Seam has to run.
type ReadConfig struct {
	Options  []kgo.Opt // how to reach the cluster
	Serde    *schemas.Serde
	Topology *topology.Topology
}

// ReadAll is what every process has seen, joined, by subject, as of now. A cluster without the topic is kerr.UnknownTopicOrPartition.
func ReadAll(ctx context.Context, c ReadConfig) (map[string]*schemas.Contract, error) {
	records, err := c.records(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]*schemas.Contract{}
	for _, r := range records {
		out[r.Subject] = Join(out[r.Subject], r)
	}
	return out, nil
}

// records is the newest record of every key.
func (c ReadConfig) records(ctx context.Context) (map[string]*schemas.Contract, error) {
	topic := c.Topology.TopicName(topology.TopicContracts)
	newest := map[string]*schemas.Contract{}
	err := topology.ReadTopic(ctx, c.Options, topic, func(rec *kgo.Record) (err error) {
		if rec.Value == nil {
			delete(newest, string(rec.Key))
			return nil
		}
		newest[string(rec.Key)], err = c.Serde.DecodeContract(ctx, rec.Value)
		return err
	})
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil, fmt.Errorf("%w; seam apply creates it", err)
	}
	if err != nil {
		return nil, err
	}
	return newest, nil
}
