package deliver

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"time"
)

// errTooLate tells that a request was not sent, as its time to be sent was over.
var errTooLate = errors.New("not sent: its time to be sent was over")

// timedConn writes nothing of a request after its time. A process that was frozen between starting a call and sending it
// has lost its partition when it wakes, and its successor has made the call, and later ones, since.
type timedConn struct {
	net.Conn
	sendBy atomic.Int64 // Unix nanoseconds; 0 for no bound
}

// Write sends while it is time.
func (c *timedConn) Write(p []byte) (int, error) {
	if by := c.sendBy.Load(); by != 0 && time.Now().UnixNano() > by {
		return 0, errTooLate
	}
	return c.Conn.Write(p)
}

// timed makes a dialer's connections timed.
func timed(dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &timedConn{Conn: c}, nil
	}
}

// bound sets until when the next request of a connection may be sent. A connection of HTTP/2 carries many at once, and is
// left alone.
func bound(c net.Conn, by time.Time) {
	if secure, ok := c.(*tls.Conn); ok {
		if secure.ConnectionState().NegotiatedProtocol == "h2" {
			return
		}
		c = secure.NetConn()
	}
	if t, ok := c.(*timedConn); ok {
		at := int64(0)
		if !by.IsZero() {
			at = by.UnixNano()
		}
		t.sendBy.Store(at)
	}
}
