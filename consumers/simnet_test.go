package consumers

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// errCut is what a connection of a killed process gives.
var errCut = errors.New("cut off")

// wire is one process's network: it can be frozen for a while, cut for ever, and made to lose answers of one kind of
// request after the broker has acted on them.
type wire struct {
	dial func(context.Context, string, string) (net.Conn, error)

	mu     sync.Mutex
	dead   chan struct{}
	thawed chan struct{} // closed while nothing is frozen
	lose   int16         // API key whose answers are lost; -1 for none
	share  float64       // of them that are lost
	rng    *rand.Rand
	conns  map[*wireConn]bool
}

func newWire(dial func(context.Context, string, string) (net.Conn, error), seed uint64) *wire {
	open := make(chan struct{})
	close(open)
	return &wire{dial: dial, dead: make(chan struct{}), thawed: open, lose: -1, rng: rand.New(rand.NewPCG(seed, 7)), conns: map[*wireConn]bool{}}
}

// DialContext is the process's dialer.
func (w *wire) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if err := w.pass(ctx.Done()); err != nil {
		return nil, err
	}
	conn, err := w.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &wireConn{Conn: conn, w: w, closed: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns[c] = true
	return c, nil
}

// kill cuts every connection, now and later.
func (w *wire) kill() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.dead)
	for c := range w.conns {
		c.Conn.Close()
	}
}

// freeze holds everything back for d.
func (w *wire) freeze(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	gate := make(chan struct{})
	w.thawed = gate
	time.AfterFunc(d, func() { close(gate) })
}

// loseAnswers makes a share of the answers to an API key disappear, with their connection; -1 ends that.
func (w *wire) loseAnswers(key int16, share float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lose, w.share = key, share
}

// pass waits while the wire is frozen.
func (w *wire) pass(stop <-chan struct{}) error {
	w.mu.Lock()
	thawed := w.thawed
	w.mu.Unlock()
	select {
	case <-w.dead:
		return errCut
	default:
	}
	select {
	case <-thawed:
		return nil
	case <-w.dead:
		return errCut
	case <-stop:
		return net.ErrClosed
	}
}

func (w *wire) loses(key int16) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return key == w.lose && w.rng.Float64() < w.share
}

// wireConn is a connection of a wire. kgo writes a request at once, so its API key is bytes 4 and 5 of a write.
type wireConn struct {
	net.Conn
	w      *wire
	mu     sync.Mutex
	doomed bool
	once   sync.Once
	closed chan struct{}
}

// Write sends a request.
func (c *wireConn) Write(b []byte) (int, error) {
	if err := c.w.pass(c.closed); err != nil {
		return 0, err
	}
	if len(b) > 6 && c.w.loses(int16(binary.BigEndian.Uint16(b[4:6]))) {
		c.mu.Lock()
		c.doomed = true
		c.mu.Unlock()
	}
	return c.Conn.Write(b)
}

// Read receives an answer; a lost one was sent by the broker, and is not seen.
func (c *wireConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if passErr := c.w.pass(c.closed); passErr != nil {
		return 0, passErr
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.doomed {
		c.Conn.Close()
		return 0, io.EOF
	}
	return n, err
}

// Close closes the connection, frozen or not.
func (c *wireConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	c.w.mu.Lock()
	delete(c.w.conns, c)
	c.w.mu.Unlock()
	return c.Conn.Close()
}
