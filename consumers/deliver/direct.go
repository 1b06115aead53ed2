package deliver

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/binaryandbeyond/seam/outbound"
)

// maxRead is how much is read of the connection for one answer, head and all.
const maxRead = 1 << 20

// idleLimit is how long a connection is kept that nobody uses.
const idleLimit = 90 * time.Second

// direct speaks HTTP/1.1 with a downstream over connections of its own. Where net/http has two goroutines for each connection,
// the caller itself writes and reads here; and it knows to the byte whether anything of a request has left. It never makes a
// request twice. Safe for concurrent use.
type direct struct {
	dialer *net.Dialer
	tls    *outbound.TLS

	mu    sync.Mutex
	idle  map[origin][]*conn // the one used last at the end
	sweep *time.Timer        // closes what nobody uses; nil while there is nothing
}

// origin is where connections lead to.
type origin struct{ scheme, host string }

func newDirect(dialer *net.Dialer, secure *outbound.TLS) *direct {
	return &direct{dialer: dialer, tls: secure, idle: map[origin][]*conn{}}
}

// conn is one connection, in one caller's hands at a time.
type conn struct {
	net.Conn                  // of TLS for https
	raw      net.Conn         // under it
	socket   syscall.RawConn  // under that
	answers  *bufio.Reader    // of limited
	limited  io.LimitedReader // of the connection
	request  []byte           // space for one
	asked    http.Request     // what ReadResponse must know of it
	since    time.Time
}

// carry makes one request.
func (d *direct) carry(ctx context.Context, m message) (reply, bool, error) {
	to := origin{m.url.Scheme, m.url.Host}
	c, err := d.get(ctx, to)
	if err != nil {
		return reply{}, false, err
	}
	if at, ok := ctx.Deadline(); ok {
		err = c.SetDeadline(at)
	} else {
		err = c.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = c.Close() // nothing was asked on it
		return reply{}, false, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) }) // a closed one needs none
	r, sent, err := c.exchange(m)
	if !stop() || err != nil || !r.keep {
		_ = c.Close() // what it had to say is read
	} else {
		d.put(to, c)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if err = ctx.Err(); err == nil {
			err = context.DeadlineExceeded // the connection's clock is a moment ahead
		}
	}
	return r, sent, err
}

// exchange writes a request and reads its answer.
func (c *conn) exchange(m message) (r reply, sent bool, err error) {
	c.request = m.append(c.request[:0])
	if !m.by.IsZero() && time.Now().After(m.by) {
		return r, false, errTooLate
	}
	if n, err := c.Write(c.request); err != nil {
		if sent = n > 0 || c.raw != c.Conn; !sent || errors.Is(err, os.ErrDeadlineExceeded) {
			return r, sent, err
		}
		// Who hangs up on half a request may have said why.
		_ = c.SetDeadline(time.Now().Add(100 * time.Millisecond))
		if r, readErr := c.read(m.method); readErr == nil {
			r.keep = false
			return r, true, nil
		}
		return r, true, err
	}
	r, err = c.read(m.method)
	return r, true, err
}

// read reads the answer to a request. One whose body breaks off has still told its status.
func (c *conn) read(method string) (reply, error) {
	c.asked.Method, c.limited.N = method, maxRead
	for range 8 { // informational answers before the one that counts
		resp, err := http.ReadResponse(c.answers, &c.asked)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return reply{}, errors.New("the connection ended before an answer came")
		case err != nil:
			return reply{}, err
		case resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols:
			continue
		}
		r := reply{status: resp.StatusCode, header: resp.Header}
		if resp.ContentLength != 0 {
			r.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		}
		r.broken = err != nil
		if whole := err == nil && len(r.body) < maxAnswer; whole {
			_ = resp.Body.Close() // it is read to its end
			r.keep = !resp.Close && c.answers.Buffered() == 0 && resp.StatusCode != http.StatusSwitchingProtocols
		}
		return r, nil
	}
	return reply{}, errors.New("only informational answers came")
}

// get gives an idle connection, or makes one.
func (d *direct) get(ctx context.Context, to origin) (*conn, error) {
	for {
		d.mu.Lock()
		had := d.idle[to]
		if len(had) == 0 {
			d.mu.Unlock()
			return d.dial(ctx, to)
		}
		c := had[len(had)-1]
		d.idle[to] = had[:len(had)-1]
		d.mu.Unlock()
		if time.Since(c.since) < idleLimit && quiet(c.socket) {
			return c, nil
		}
		_ = c.Close() // the other side has, or said what nobody asked
	}
}

// put keeps a connection for the next request.
func (d *direct) put(to origin, c *conn) {
	if c.since = time.Now(); cap(c.request) > maxAnswer {
		c.request = nil // one that was large need not stay
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.idle[to] = append(d.idle[to], c)
	if d.sweep == nil {
		d.sweep = time.AfterFunc(idleLimit, d.close)
	}
}

// close closes the connections that were not used for as long as they are kept.
func (d *direct) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sweep = nil
	for to, list := range d.idle {
		for len(list) > 0 && time.Since(list[0].since) >= idleLimit {
			_ = list[0].Close()
			list = list[1:]
		}
		if d.idle[to] = list; len(list) == 0 {
			delete(d.idle, to)
		} else if d.sweep == nil {
			d.sweep = time.AfterFunc(idleLimit, d.close)
		}
	}
}

// dial opens a connection.
func (d *direct) dial(ctx context.Context, to origin) (*conn, error) {
	address := to.host
	name, port := (&url.URL{Host: to.host}).Hostname(), (&url.URL{Host: to.host}).Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[to.scheme]
		address = net.JoinHostPort(name, port)
	}
	var config *tls.Config
	if to.scheme == "https" {
		ours, err := d.tls.Config()
		if err != nil {
			return nil, err
		}
		config = ours.Clone()
		config.NextProtos, config.ServerName = []string{"http/1.1"}, cmp.Or(config.ServerName, name)
	}
	raw, err := d.dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, raw: raw}
	if c.socket, err = raw.(*net.TCPConn).SyscallConn(); err != nil { // it was dialled as TCP
		_ = raw.Close()
		return nil, err
	}
	if config != nil {
		secure := tls.Client(raw, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = raw.Close() // nothing was asked on it
			return nil, fmt.Errorf("tls: %w", err)
		}
		c.Conn = secure
	}
	c.limited.R = c
	c.answers = bufio.NewReader(&c.limited)
	return c, nil
}
