package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing/fstest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/binaryandbeyond/seam/consumers"
	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/producers"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/schemas/sealing"
	"github.com/binaryandbeyond/seam/topology"
)

// ground is the topics of one case, under a prefix of their own.
type ground struct {
	*suite
	topo     *topology.Topology
	cluster  []kgo.Opt
	client   *kgo.Client // writes events, asks for offsets
	adm      *kadm.Client
	registry *sr.Client
	serde    *schemas.Serde
	ring     *sealing.Ring
	dir      string       // of disk
	disk     *ledger.Disk // the ledgers' local copy, as seam run --data has it
}

const ownership = `
order.status: {owner: shop, page: bench}
order.payment_status: {owner: shop, page: bench}
order.email: {owner: shop, page: bench}
order.total: {owner: shop, page: bench}
order.lines: {owner: shop, page: bench}
unowned: ["*"]
`

// ground makes the topics for integrations, given as YAML by their names, and sources likewise.
func (s *suite) ground(ctx context.Context, integrations, sources map[string]string) (*ground, error) {
	files := fstest.MapFS{
		"topics.yaml":    {Data: fmt.Appendf(nil, "prefix: %q\npartitions: %d\nreplicas: 1\n", prefix(), s.Partitions)},
		"teams.yaml":     {Data: []byte("bench: {pager: bench}\n")},
		"ownership.yaml": {Data: []byte(ownership)},
	}
	for name, text := range integrations {
		files["integrations/"+name+".yaml"] = &fstest.MapFile{Data: fmt.Appendf(nil, "name: %s\nteam: bench\ncomplete_within: 1h\nstale_after: 1h\noperation: record\n%s", name, text)}
	}
	for name, text := range sources {
		files["sources/"+name+".yaml"] = &fstest.MapFile{Data: fmt.Appendf(nil, "name: %s\nteam: bench\n%s", name, text)}
	}
	g := &ground{suite: s, cluster: append(slices.Clone(s.Options), kgo.SeedBrokers(s.Brokers...))}
	var err error
	if g.topo, err = topology.Load(files, func(string) (string, bool) { return "", false }); err != nil {
		return nil, err
	}
	if g.registry, err = sr.NewClient(append(slices.Clone(s.RegistryOptions), sr.URLs(s.Registry))...); err != nil {
		return nil, err
	}
	if g.client, err = kgo.NewClient(append(producers.ClientOpts(), g.cluster...)...); err != nil {
		return nil, err
	}
	g.adm, g.serde = kadm.NewClient(g.client), schemas.NewSerde(g.registry)
	if g.dir, err = os.MkdirTemp("", "seam-bench-"); err != nil {
		return nil, err
	}
	if g.disk, err = ledger.Open(g.dir, s.Logger); err != nil {
		return nil, err
	}
	if _, err := topology.Ensure(ctx, g.topo, g.client, g.registry); err != nil {
		return nil, errors.Join(err, g.remove())
	}
	if g.ring, err = sealing.Open(ctx, sealing.Config{Options: g.cluster, Topic: g.topo.TopicName(topology.TopicKeys), Serde: g.serde, Seals: true}); err != nil {
		return nil, errors.Join(err, g.remove())
	}
	g.serde.SealWith(g.ring) // as seam run does
	return g, nil
}

// rounds names an integration for each round: a group reads its events once.
func (s *suite) rounds(name, text string) map[string]string {
	out := map[string]string{}
	for i := range s.Rounds {
		out[roundName(name, i)] = text
	}
	return out
}

func roundName(name string, round int) string { return fmt.Sprintf("%s-%d", name, round) }

// remove takes everything with the ground's prefix out of the cluster and the registry.
func (g *ground) remove() error {
	defer g.client.Close()
	defer os.RemoveAll(g.dir)
	if g.ring != nil {
		g.ring.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	faults := []error{g.disk.Close()}
	groups, err := g.adm.ListGroups(ctx)
	faults = append(faults, err)
	for _, name := range groups.Groups() {
		if strings.HasPrefix(name, g.topo.Prefix) {
			_, err := g.adm.DeleteGroup(ctx, name)
			faults = append(faults, err)
		}
	}
	var names []string
	for _, t := range g.topo.Topics {
		names = append(names, t.Name)
		if t.Schema != "" {
			for _, how := range []sr.DeleteHow{sr.SoftDelete, sr.HardDelete} {
				_, err := g.registry.DeleteSubject(ctx, t.Name+"-value", how)
				if gone := (*sr.ResponseError)(nil); !errors.As(err, &gone) || gone.StatusCode != http.StatusNotFound {
					faults = append(faults, err)
				}
			}
		}
	}
	_, err = g.adm.DeleteTopics(ctx, names...)
	if err = errors.Join(append(faults, err)...); err != nil {
		return fmt.Errorf("remove the topics under %s: %w", g.topo.Prefix, err)
	}
	return nil
}

// worker runs Seam's worker of an integration with the settings it ships with; stop ends it and waits.
func (g *ground) worker(name string, opts ...kgo.Opt) (metrics *meter, stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	metrics = newMeter()
	c := consumers.Config{Topology: g.topo, Integration: g.topo.Integration(name), Options: append(opts, g.cluster...), Serde: g.serde,
		Ledger: g.disk, Metrics: consumers.NewMetrics(metrics.reg), Logger: g.Logger}
	done := make(chan error, 1)
	go func() { done <- consumers.Run(ctx, c) }()
	return metrics, func() error {
		cancel()
		return <-done
	}
}
