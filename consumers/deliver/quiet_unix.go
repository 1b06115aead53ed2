//go:build unix

package deliver

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// quiet tells whether nothing is to be read on an idle connection: neither its end, nor what nobody asked for.
func quiet(c syscall.RawConn) bool {
	var ready int
	var failed error
	if err := c.Control(func(fd uintptr) {
		ready, failed = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	}); err != nil {
		return false
	}
	return ready == 0 && failed == nil
}
