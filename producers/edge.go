package producers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/binaryandbeyond/seam/contract"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Config is what an Edge needs.
type Config struct {
	Topology  *topology.Topology
	Publisher *Publisher
	// Options say how to reach the cluster, for sources whose callers may wait for outcomes (Prefer: wait=5); without them
	// those are told where to ask.
	Options []kgo.Opt
	// SpoolDir is where sources with spool: true keep deliveries while Kafka is away, and where polls keep their cursors.
	// Required when there is such a source; without it a poll begins anew at each start.
	SpoolDir string
	// Contracts watches the shape of what comes; nil for nobody.
	Contracts *contract.Watch
	// Tracer begins the spans of deliveries; nil for none. The context of a trace is sent on all the same.
	Tracer trace.Tracer
	// Registerer takes the metrics; nil keeps them unregistered.
	Registerer prometheus.Registerer
	// Logger defaults to none.
	Logger *slog.Logger
	// Now is our clock. Default time.Now.
	Now func() time.Time
}

// Edge is the way in: webhooks over HTTP, watched folders and polled APIs.
type Edge struct {
	cfg     Config
	metrics *metrics
	sources map[string]*inlet
	files   []*watcher
	polls   []*poll
	waits   *waits
	// patience is how long a delivery of a spooling source waits for Kafka before it goes to disk.
	patience time.Duration
}

// inlet is a webhook source that is switched on.
type inlet struct {
	source   *topology.Source
	platform platform
	spool    *spool // nil without spool: true
	limits   limits
	// The source's own of what every request counts.
	received prometheus.Counter
	duration prometheus.Observer
	lastCame prometheus.Gauge
}

// New checks the sources and opens their spools. A source whose secrets, folder or URL are all empty is switched off with
// a log line; a fault of any other source is an error, all of them joined.
func New(cfg Config) (*Edge, error) {
	if cfg.Topology == nil || cfg.Publisher == nil {
		return nil, errors.New("edge: topology and publisher are needed")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, err
	}
	e := &Edge{cfg: cfg, metrics: m, sources: map[string]*inlet{}, patience: spoolAfter}
	e.waits = newWaits(e)
	var faults []error
	for i := range cfg.Topology.Sources {
		if err := e.open(&cfg.Topology.Sources[i]); err != nil {
			faults = append(faults, fmt.Errorf("source %s: %w", cfg.Topology.Sources[i].Name, err))
		}
	}
	return e, errors.Join(faults...)
}

// open puts a source to work.
func (e *Edge) open(s *topology.Source) error {
	off := func(why string) error {
		e.cfg.Logger.Info("source is switched off", "source", s.Name, "because", why)
		return nil
	}
	switch {
	case s.Platform == topology.Files && s.Dir == "":
		return off("it has no folder")
	case s.Platform == topology.Files:
		e.metrics.open(s.Name, e.cfg.Now())
		w, err := newWatcher(e, s)
		e.files = append(e.files, w)
		return err
	case s.Platform == topology.Poll && s.URL == "":
		return off("it has no url")
	case s.Platform == topology.Poll:
		e.metrics.open(s.Name, e.cfg.Now())
		p, err := newPoll(e, s)
		e.polls = append(e.polls, p)
		return err
	}
	p, ok := platforms[s.Platform]
	if !ok {
		return fmt.Errorf("platform %q is not one of shopify, woocommerce, stripe, adyen, standardwebhooks, files, poll", s.Platform)
	}
	in := &inlet{source: s, platform: p, limits: newLimits(s.Limit), received: e.metrics.received.WithLabelValues(s.Name), duration: e.metrics.duration.WithLabelValues(s.Name), lastCame: e.metrics.lastCame.WithLabelValues(s.Name)}
	if len((&delivery{source: s}).textKeys()) == 0 {
		return off("it has no secret")
	}
	if s.Spool {
		if e.cfg.SpoolDir == "" {
			return errors.New("spool: true needs a spool directory: name one, or set spool: false and lose what comes while Kafka is away")
		}
		var err error
		if in.spool, err = openSpool(e.cfg.SpoolDir, s.Name); err != nil {
			return err
		}
	}
	e.sources[s.Name] = in
	e.metrics.open(s.Name, e.cfg.Now())
	e.metrics.openHTTP(s.Name)
	return nil
}

// Run drains spools, watches folders and polls until ctx ends. It returns nil then.
func (e *Edge) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, in := range e.sources {
		if in.spool != nil {
			g.Go(func() error { return e.drain(ctx, in) })
		}
	}
	if e.waits.needed() && e.cfg.Options != nil {
		g.Go(func() error { return e.waits.run(ctx) })
	}
	for _, w := range e.files {
		g.Go(func() error { return w.run(ctx) })
	}
	for _, p := range e.polls {
		g.Go(func() error { return p.run(ctx) })
	}
	return g.Wait()
}

// Handler serves POST /in/{source}, and GET /in/{source}/events/{token} for callers that waited in vain. The server's timeouts are its owner's to set; each request answers within the
// source's own limit.
func (e *Edge) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/in/{source}", e.serve)
	mux.HandleFunc("GET /in/{source}/events/{token}", e.status)
	return mux
}

// serve is the road of a webhook: find its source, receive, authenticate, read, publish, answer.
func (e *Edge) serve(w http.ResponseWriter, req *http.Request) {
	arrived := e.cfg.Now()
	in := e.sources[req.PathValue("source")]
	if in == nil {
		http.Error(w, "no such source", http.StatusNotFound)
		return
	}
	name := in.source.Name
	defer func() { in.duration.Observe(e.cfg.Now().Sub(arrived).Seconds()) }()
	ctx, cancel := context.WithTimeoutCause(req.Context(), in.within(), errLate)
	defer cancel()

	arrivedWhole := patiently(w, in.within())
	d, status, err := e.receive(w, req, in)
	switch {
	case err != nil:
		e.refuse(w, in, status, err)
		return
	case d == nil: // answered without a record
		e.answer(w, in, reply{})
		return
	}
	arrivedWhole()
	d.received = arrived
	if err := e.authenticate(in, d); err != nil {
		e.refuse(w, in, http.StatusUnauthorized, err)
		return
	}
	ctx, w, span := e.receiving(ctx, w, req, d)
	defer span.end()
	prefer := time.Duration(0)
	if in.source.Wait != nil {
		prefer = preferred(req.Header)
	}
	var rep waitReply
	if prefer > 0 {
		rep, err = e.takeAndWait(ctx, in, d, prefer)
	} else {
		rep.reply, err = e.keep(ctx, in, d, in.platform.read(d))
	}
	var beyond *tooMany
	switch {
	case errors.As(err, &beyond):
		e.tooMany(w, in, beyond)
	case errors.Is(err, errBodyTooLarge):
		e.refuse(w, in, http.StatusRequestEntityTooLarge, errBodyTooLarge)
	case err != nil:
		e.metrics.unavailable.WithLabelValues(name).Inc()
		e.cfg.Logger.Warn("delivery not taken", "source", name, "error", err)
		w.Header().Set("Retry-After", "10")
		http.Error(w, "try again later", http.StatusServiceUnavailable)
	case prefer > 0:
		e.answerWaited(w, in, d, prefer, rep)
	default:
		e.answer(w, in, rep.reply)
	}
}

// errLate is why a request ends that Kafka has not acknowledged in time.
var errLate = errors.New("the source's time is up")

// within is how long a request may take: a tenth less than the source waits, as the answer has to travel.
func (in *inlet) within() time.Duration {
	if d := in.source.AnswerWithin.D(); d > 0 {
		return d - d/10
	}
	return in.source.Platform.Facts().AnswerWithin
}

// refuse answers what is not taken in and counts it by reason; the sender learns no more than the status.
func (e *Edge) refuse(w http.ResponseWriter, in *inlet, status int, err error) {
	reason := refusalOf(err)
	e.metrics.refused.WithLabelValues(in.source.Name, string(reason)).Inc()
	e.cfg.Logger.Debug("request refused", "source", in.source.Name, "status", status, "reason", string(reason))
	http.Error(w, strings.ToLower(http.StatusText(status)), status)
}

// keep makes what an authentic delivery came to durable: in Kafka, or in the spool while Kafka is away or the spool still
// holds earlier ones, or the source is beyond its limits.
func (e *Edge) keep(ctx context.Context, in *inlet, d *delivery, r *reading) (reply, error) {
	leave, err := e.admit(ctx, in)
	if err == nil {
		defer leave()
	}
	if in.spool == nil {
		if err != nil {
			return reply{}, err
		}
		return e.publish(ctx, d, r)
	}
	if err == nil && in.spool.depth() == 0 {
		short, cancel := context.WithTimeout(ctx, e.patience)
		rep, err := e.publish(short, d, r)
		cancel()
		if err == nil || errors.Is(err, errBodyTooLarge) {
			return rep, err
		}
		e.cfg.Logger.Warn("delivery goes to the spool", "source", d.source.Name, "error", err)
	}
	if err := in.spool.put(d); err != nil {
		return reply{}, err
	}
	e.metrics.spooled.WithLabelValues(d.source.Name).Set(float64(in.spool.depth()))
	return replyOf(d, r), nil
}

// publish writes what a delivery came to: first its events, then its rejects to the quarantine. When it returns without
// an error every record is acknowledged.
func (e *Edge) publish(ctx context.Context, d *delivery, r *reading) (reply, error) {
	if err := e.publishEvents(ctx, d, r); err != nil {
		return reply{}, err
	}
	var rejects []*schemas.Quarantined
	for _, rej := range r.rejects {
		rejects = append(rejects, d.quarantined(r.origin, rej))
	}
	if err := e.quarantine(ctx, d.trace, rejects); err != nil {
		return reply{}, err
	}
	return replyOf(d, r), nil
}

// publishEvents writes the events; one that does not fit its schema or Kafka becomes a reject.
func (e *Edge) publishEvents(ctx context.Context, d *delivery, r *reading) error {
	p := e.cfg.Publisher
	ctx, span := e.sending(ctx, d, r)
	defer span.end()
	batch, err := p.encodeAll(ctx, d.trace, r)
	if err != nil {
		return span.failed(err)
	}
	var kept []*schemas.Event
	for i, err := range p.produce(ctx, batch) {
		switch {
		case err == nil:
			kept = append(kept, r.events[i])
		case tooLarge(err):
			r.refuse(string(r.events[i].ID), &fault{"", fmt.Sprintf("the event of %d bytes is larger than Kafka takes: raise max.message.bytes of %s, or send less", len(batch[i].Value), batch[i].Topic)})
		default:
			return span.failed(fmt.Errorf("publish: %w", err))
		}
	}
	r.events = kept
	e.metrics.published.WithLabelValues(d.source.Name).Add(float64(len(kept)))
	return nil
}

// quarantine keeps input that could not be normalized.
func (e *Edge) quarantine(ctx context.Context, trace schemas.Trace, list []*schemas.Quarantined) error {
	var records []*kgo.Record
	for _, q := range list {
		rec, err := e.cfg.Publisher.quarantineRecord(ctx, q, trace)
		if err != nil {
			return err
		}
		records = append(records, rec)
	}
	for i, err := range e.cfg.Publisher.produce(ctx, records) {
		q := list[i]
		if tooLarge(err) {
			e.cfg.Logger.Error("input too large to keep: raise max.message.bytes of the quarantine topic", "source", q.Source, "delivery_id", q.DeliveryID, "bytes", len(q.Body), "reason", q.Reason)
			return errBodyTooLarge
		}
		if err != nil {
			return fmt.Errorf("quarantine: %w", err)
		}
		e.metrics.quarantined.WithLabelValues(q.Source).Inc()
	}
	return nil
}

// Reingest reads a quarantined delivery again, after a fix of ours, and publishes what it now comes to. What still
// cannot be normalized stays where it is: the error is its reason.
func (e *Edge) Reingest(ctx context.Context, q *schemas.Quarantined) ([]schemas.EventID, error) {
	in := e.sources[q.Source]
	if in == nil {
		return nil, fmt.Errorf("reingest %s: source %q takes no deliveries: files and polls are read again by themselves", q.ID, q.Source)
	}
	d := &delivery{source: in.source, header: headersOf(q.Headers), body: q.Body, received: q.ReceivedAt, trace: e.begun()}
	r := in.platform.read(d)
	if len(r.rejects) > 0 {
		return nil, fmt.Errorf("reingest %s: %w", q.ID, r.rejects[0].fault)
	}
	rep, err := e.publish(ctx, d, r)
	return rep.EventIDs, err
}
