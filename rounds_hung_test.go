package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/binaryandbeyond/seam/topology"
)

// A broker that was killed can leave a transaction that nobody ends: Kafka 4.3.1's coordinator, as it comes back, notes an
// abort as complete although the partitions never saw its marker, and readers of committed records wait for ever. What
// helps is what an operator does with kafka-transactions.sh: the rounds do it too, and count it.

// hung gives the transactions that are open in a partition, by where they begin, and of which the coordinator knows nothing.
func (r *rounds) hung(ctx context.Context, adm *kadm.Client) (map[string]kadm.DescribedProducer, error) {
	topics := []string{r.topo.TopicName(topology.TopicReconciliation), "__consumer_offsets"}
	for _, in := range r.topo.Integrations {
		topics = append(topics, r.topo.Ledger(in.Name), r.topo.Parked(in.Name))
	}
	ends, err := adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, err
	}
	var all kadm.TopicsSet
	ends.Each(func(e kadm.ListedOffset) { all.Add(e.Topic, e.Partition) })
	producers, err := adm.DescribeProducers(ctx, all)
	if err != nil {
		return nil, err
	}
	known, err := adm.ListTransactions(ctx, nil, nil) // after the partitions: what began since is not among theirs
	if err != nil {
		return nil, err
	}
	busy := map[int64]bool{}
	for _, t := range known {
		busy[t.ProducerID] = busy[t.ProducerID] || t.State == "Ongoing" || strings.HasPrefix(t.State, "Prepare")
	}
	out := map[string]kadm.DescribedProducer{}
	producers.EachProducer(func(p kadm.DescribedProducer) {
		if p.CurrentTxnStartOffset >= 0 && !busy[p.ProducerID] {
			out[fmt.Sprintf("%s/%d/%d", p.Topic, p.Partition, p.CurrentTxnStartOffset)] = p
		}
	})
	return out, nil
}

// mend ends transactions that hang, seen so three seconds apart, until ctx ends.
func (r *rounds) mend(ctx context.Context) {
	adm := kadm.NewClient(r.kafka.Client(r))
	tick := time.NewTicker(3 * time.Second)
	defer tick.Stop()
	var before map[string]kadm.DescribedProducer
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, err := r.hung(ctx, adm)
		if err != nil {
			continue // the broker is away
		}
		for at, p := range now {
			if _, still := before[at]; !still {
				continue
			}
			var where kadm.TopicsSet
			where.Add(p.Topic, p.Partition)
			_, err := adm.WriteTxnMarkers(ctx, kadm.TxnMarkers{ProducerID: p.ProducerID, ProducerEpoch: p.ProducerEpoch, CoordinatorEpoch: max(p.CoordinatorEpoch, 0), Topics: where})
			r.Logf("a transaction hangs at %s, the coordinator knows nothing of it: ended by hand (%v)", at, err)
			r.tally.add("transactions ended by hand")
		}
		before = now
	}
}

// transactions tells what of the topics readers of committed records cannot read yet, and what hangs.
func (r *rounds) transactions() string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	adm := kadm.NewClient(r.kafka.Client(r))
	hung, err := r.hung(ctx, adm)
	stable, err2 := adm.ListCommittedOffsets(ctx, r.topo.TopicName(topology.TopicReconciliation))
	r.books.mu.Lock()
	defer r.books.mu.Unlock()
	return fmt.Sprintf("hung: %v (%v)\nstable: %v (%v)\nread up to %v", hung, err, stable, err2, r.books.position)
}
