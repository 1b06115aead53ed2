package drills

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"golang.org/x/sync/errgroup"

	"github.com/binaryandbeyond/seam/app"
	"github.com/binaryandbeyond/seam/consumers"
	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/producers"
	"github.com/binaryandbeyond/seam/schemas"
)

// startParts runs the parts of Seam that the story touches, put together by hand.
func startParts(ctx context.Context, s Setting, ready func(Running)) error {
	topo := s.Topology
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		return err
	}
	defer fake.Close()
	registry := httptest.NewServer(schemas.NewMemoryRegistry())
	defer registry.Close()
	rc, err := sr.NewClient(sr.URLs(registry.URL))
	if err != nil {
		return err
	}
	serde := schemas.NewSerde(rc)
	brokers := kgo.SeedBrokers(fake.ListenAddrs()...)
	cl, err := kgo.NewClient(append(producers.ClientOpts(), brokers)...)
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	for _, t := range topo.Topics {
		if _, err := adm.CreateTopic(ctx, t.Partitions, 1, nil, t.Name); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(s.DataDir, "spool"), 0o755); err != nil {
		return err
	}
	edge, err := producers.New(producers.Config{Topology: topo, Publisher: producers.NewPublisher(cl, serde, topo), SpoolDir: filepath.Join(s.DataDir, "spool")})
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	server := &http.Server{Handler: edge.Handler()}
	g.Go(func() error {
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error { <-ctx.Done(); return server.Close() })
	g.Go(func() error { return edge.Run(ctx) })
	view, err := reconcile.OpenView(ctx, reconcile.ViewConfig{Topology: topo})
	if err != nil {
		return err
	}
	defer view.Close() //nolint:errcheck // of a file that goes with it
	g.Go(func() error {
		return reconcile.Follow(ctx, reconcile.FollowConfig{Options: []kgo.Opt{brokers}, Serde: serde, Topology: topo, View: view})
	})
	for i := range topo.Integrations {
		g.Go(func() error {
			return consumers.Run(ctx, consumers.Config{Topology: topo, Integration: &topo.Integrations[i], Options: []kgo.Opt{brokers}, Serde: serde, Facts: app.FactsOf(view)})
		})
	}
	ready(Running{EdgeURL: "http://" + ln.Addr().String(), BootstrapServers: fake.ListenAddrs()[0], RegistryURL: registry.URL})
	return g.Wait()
}
