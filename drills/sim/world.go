package sim

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Config says how the simulated world behaves.
type Config struct {
	// Seed decides everything random: ids, secrets, customers, prices, who waits how long. The same seed gives the same
	// orders; only the interleaving in time differs.
	Seed int64
	// EdgeURL is where call-backs and webhooks go ("http://127.0.0.1:8080"), asked anew for each; empty while Seam is
	// not up, which a sender treats like a refused connection. Required.
	EdgeURL func() string
	// Secrets are the signing secrets per source (shopify, admin, warehouse, fraud, crm, enrichment). Made from the seed
	// where none is given. All but shopify's are Standard Webhooks secrets ("whsec_" and base64).
	Secrets map[string]string
	// Now is the clock of the world. Default time.Now.
	Now func() time.Time
	// Scale multiplies every duration: 1 is real time, 1.0/600 tells ten minutes in a second. Default 1.
	Scale float64
	// Ports fixes the port of a system by name; 0 or absent picks a free one.
	Ports map[string]int
	// Host is the address to listen at, and Name what others call this machine. Default 127.0.0.1, and the Host.
	Host, Name string
	// ExportDir is where Seam writes the finance export; ERPDir where the ERP drops its batch files. Both required.
	ExportDir, ERPDir string
}

// The systems by name, as Env and Effects use them. Finance has no listener: it reads files.
var systems = []string{"shop", "warehouse", "erp", "crm", "tax", "fraud", "analytics", "support", "enrichment"}

// sources are the call-back and webhook sources that sign, with the environment variable of their secret.
var sources = map[string]string{
	"shopify": "SHOPIFY_SECRET", "admin": "ADMIN_WEBHOOK_SECRET", "warehouse": "WAREHOUSE_WEBHOOK_SECRET",
	"fraud": "FRAUD_WEBHOOK_SECRET", "crm": "CRM_WEBHOOK_SECRET", "enrichment": "ENRICHMENT_WEBHOOK_SECRET",
}

// World is all simulated systems together. Its methods are safe for concurrent use.
type World struct {
	cfg     Config
	systems map[string]*System
	secrets map[string]string
	shop    *Shop
	erp     *erp
	finance *System
	client  *http.Client
	due     schedule

	mu    sync.Mutex
	posts map[string]*Post
}

// New opens a listener per system, on loopback unless told; nothing is served before Run. It fails on a missing setting and on a port
// that is taken.
func New(cfg Config) (*World, error) {
	if cfg.EdgeURL == nil || cfg.ExportDir == "" || cfg.ERPDir == "" {
		return nil, errors.New("simulated world: set EdgeURL, ExportDir and ERPDir")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Scale, cfg.Host = cmp.Or(cfg.Scale, 1), cmp.Or(cfg.Host, "127.0.0.1")
	cfg.Name = cmp.Or(cfg.Name, cfg.Host)
	w := &World{
		cfg: cfg, systems: map[string]*System{}, secrets: map[string]string{}, posts: map[string]*Post{},
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}, // one edge takes all posts
		due:    schedule{now: cfg.Now, wake: make(chan struct{}, 1)},
	}
	for source := range sources {
		w.secrets[source] = cmp.Or(cfg.Secrets[source], "whsec_"+base64.StdEncoding.EncodeToString(w.bytes("secret/"+source, 24)))
	}
	for _, name := range systems {
		s, err := w.newSystem(name)
		if err != nil {
			return nil, errors.Join(err, w.close())
		}
		w.systems[name] = s
	}
	w.shop = newShop(w, w.systems["shop"])
	w.erp = newERP(w, w.systems["erp"])
	w.finance = newFinance(w)
	w.systems["finance"] = w.finance
	for name, build := range map[string]func(*World, *System){
		"warehouse": newWarehouse, "crm": newCRM, "tax": newTax, "fraud": newFraud,
		"analytics": newAnalytics, "support": newSupport, "enrichment": newEnrichment,
	} {
		build(w, w.systems[name])
	}
	return w, nil
}

// Env is what the topology's ${VARIABLES} need to find this world: URL and token per system, secret per source, folders.
func (w *World) Env() map[string]string {
	env := map[string]string{"EXPORT_DIR": w.cfg.ExportDir, "ERP_DIR": w.cfg.ERPDir}
	for _, name := range systems {
		prefix := strings.ToUpper(name)
		if name == "shop" {
			prefix = "SHOP_API"
		}
		env[prefix+"_URL"], env[prefix+"_TOKEN"] = w.systems[name].URL(), w.systems[name].token
	}
	env["SHOPIFY_POLL_URL"], env["SHOPIFY_POLL_TOKEN"] = env["SHOP_API_URL"]+"/admin/api/orders.json", env["SHOP_API_TOKEN"]
	for source, variable := range sources {
		env[variable] = w.secrets[source]
	}
	return env
}

// System finds one by name: shop, warehouse, erp, crm, tax, fraud, analytics, support, enrichment, finance. It panics on
// any other, as the name is the caller's own constant.
func (w *World) System(name string) *System {
	s := w.systems[name]
	if s == nil {
		panic("sim: no system " + name)
	}
	return s
}

// Shop is the commerce platform: the side that makes customers, orders and refunds.
func (w *World) Shop() *Shop { return w.shop }

// Run serves every system, sends what is due and writes the ERP's batches until ctx ends; then it closes all and gives
// nil. It can run once.
func (w *World) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range w.systems {
		if s != w.finance {
			g.Go(func() error { return s.serve(ctx) })
		}
	}
	g.Go(func() error { return w.due.run(ctx) })
	g.Go(func() error { return w.erp.run(ctx) })
	err := g.Wait()
	w.client.CloseIdleConnections()
	return err
}

// Pending is how many things the world has still to do: posts to send or repeat, parcels to ship, scores to tell.
func (w *World) Pending() int { return w.due.pending() }

// close gives back the listeners of a world that never ran.
func (w *World) close() error {
	var errs []error
	for _, s := range w.systems {
		if s.listener != nil {
			errs = append(errs, s.listener.Close())
		}
	}
	return errors.Join(errs...)
}

// scaled is a duration of the story in real time, at least a millisecond.
func (w *World) scaled(d time.Duration) time.Duration {
	return max(time.Duration(float64(d)*w.cfg.Scale), time.Millisecond)
}

// rand is a random stream of its own for a name: adding a system changes no other's numbers.
func (w *World) rand(name string) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, name)
	return rand.New(rand.NewPCG(uint64(w.cfg.Seed), h.Sum64()))
}

// bytes are n seeded bytes for a name.
func (w *World) bytes(name string, n int) []byte {
	r, out := w.rand(name), make([]byte, n)
	for i := range out {
		out[i] = byte(r.UintN(256))
	}
	return out
}

// Systems lists every system's name, sorted.
func (w *World) Systems() []string {
	return slices.Sorted(slices.Values(append(slices.Clone(systems), "finance")))
}
