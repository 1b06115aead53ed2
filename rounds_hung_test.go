package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/binaryandbeyond/seam/topology"
)

// A broker that was killed can leave a transaction that nobody ends: Kafka 4.3.1's coordinator, as it comes back, notes it as
// complete although the partitions never saw its marker, and readers of committed records wait for ever. What helps is what
// an operator does with kafka-transactions.sh: the rounds do it too, and count it.

// hanging is a transaction that is open in a partition and ended for its coordinator.
type hanging struct {
	kadm.DescribedProducer
	verdict string // of the coordinator on the producer's newest transaction: CompleteCommit, CompleteAbort, Empty
}

// hung gives the transactions that hang, by where they begin.
func (r *rounds) hung(ctx context.Context, adm *kadm.Client) (map[string]hanging, error) {
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
	if len(known) < 2*len(r.topo.Integrations) {
		return nil, fmt.Errorf("the coordinator knows %d transactional ids: it is not up yet", len(known))
	}
	verdicts := map[int64]string{}
	for _, t := range known {
		verdicts[t.ProducerID] = t.State
	}
	out := map[string]hanging{}
	producers.EachProducer(func(p kadm.DescribedProducer) {
		verdict := verdicts[p.ProducerID]
		if p.CurrentTxnStartOffset >= 0 && verdict != "Ongoing" && !strings.HasPrefix(verdict, "Prepare") {
			out[fmt.Sprintf("%s/%d/%d", p.Topic, p.Partition, p.CurrentTxnStartOffset)] = hanging{p, verdict}
		}
	})
	return out, nil
}

// mend aborts transactions that hang, seen so three times in six seconds, until ctx ends. The coordinator's verdict is on the
// producer's newest transaction, which need not be this one: to commit by it would bring back what was done again since.
func (r *rounds) mend(ctx context.Context) {
	adm := kadm.NewClient(r.kafka.Client(r))
	tick := time.NewTicker(3 * time.Second)
	defer tick.Stop()
	seen := map[string]int{}
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
			if seen[at]++; seen[at] < 3 {
				continue
			}
			var where kadm.TopicsSet
			where.Add(p.Topic, p.Partition)
			_, err := adm.WriteTxnMarkers(ctx, kadm.TxnMarkers{ProducerID: p.ProducerID, ProducerEpoch: p.ProducerEpoch, CoordinatorEpoch: max(p.CoordinatorEpoch, 0), Topics: where})
			r.Logf("a transaction hangs at %s, and is %s for its coordinator: aborted by hand (%v)", at, p.verdict, err)
			r.tally.add("transactions ended by hand")
		}
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
