package state_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const patience = time.Minute

// server is a redis-server that a test has started.
type server struct {
	dir, url string
	args     []string
	cmd      *exec.Cmd
	client   *redis.Client
}

var errNoRedis = errors.New("redis-server is not installed (apt-get install redis-server)")

// newServer makes, but does not start, a server on a Unix socket or, with a
// port, on loopback.
func newServer(dir string, port int, args ...string) (*server, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, errNoRedis
	}
	v := &server{dir: dir}
	opts := &redis.Options{Network: "unix", Addr: filepath.Join(dir, "s"), MaxRetries: -1, DialerRetries: 1}
	v.url = "unix://" + opts.Addr
	if port != 0 {
		opts = &redis.Options{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), MaxRetries: -1, DialerRetries: 1}
		v.url = "redis://" + opts.Addr
	}
	v.args = append([]string{"--dir", dir, "--bind", "127.0.0.1", "--port", strconv.Itoa(port),
		"--save", "", "--daemonize", "no", "--logfile", filepath.Join(dir, "log")}, args...)
	if port == 0 {
		v.args = append(v.args, "--unixsocket", opts.Addr)
	}
	v.client = redis.NewClient(opts)
	return v, nil
}

func (v *server) start() error {
	v.cmd = exec.Command("redis-server", v.args...)
	if err := v.cmd.Start(); err != nil {
		return err
	}
	if !until(func() bool { return v.client.Ping(context.Background()).Err() == nil }) {
		text, _ := os.ReadFile(filepath.Join(v.dir, "log"))
		v.stop()
		return fmt.Errorf("redis-server does not answer: %s", text)
	}
	return nil
}

// stop kills the server and waits until it is gone.
func (v *server) stop() {
	if v.cmd != nil {
		_ = v.cmd.Process.Kill()
		_ = v.cmd.Wait()
		v.cmd = nil
	}
}

func (v *server) close() {
	v.stop()
	_ = v.client.Close()
}

// until waits for a condition, asking again and again.
func until(ok func() bool) bool {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-deadline.C:
			return ok()
		}
	}
	return true
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// newCluster starts three masters that share the slots.
func newCluster(dir string) (nodes []*server, url string, err error) {
	defer func() {
		if err != nil {
			for _, v := range nodes {
				v.close()
			}
		}
	}()
	ctx := context.Background()
	url = "redis+cluster://"
	for i := range 3 {
		port, err := freePort()
		if err != nil {
			return nodes, "", err
		}
		bus, err := freePort()
		if err != nil {
			return nodes, "", err
		}
		sub := filepath.Join(dir, strconv.Itoa(i))
		if err := os.MkdirAll(sub, 0o700); err != nil {
			return nodes, "", err
		}
		v, err := newServer(sub, port, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus))
		if err != nil {
			return nodes, "", err
		}
		nodes = append(nodes, v)
		if err := v.start(); err != nil {
			return nodes, "", err
		}
		if err := v.client.ClusterAddSlotsRange(ctx, i*16384/3, (i+1)*16384/3-1).Err(); err != nil {
			return nodes, "", err
		}
		if i > 0 {
			meet := []any{"cluster", "meet", "127.0.0.1", strconv.Itoa(port), strconv.Itoa(bus)}
			if err := nodes[0].client.Do(ctx, meet...).Err(); err != nil {
				return nodes, "", err
			}
			url += ","
		}
		url += "127.0.0.1:" + strconv.Itoa(port)
	}
	for _, v := range nodes {
		if !until(func() bool {
			info, err := v.client.ClusterInfo(ctx).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_size:3\r")
		}) {
			return nodes, "", errors.New("the cluster does not come together")
		}
	}
	return nodes, url, nil
}

// backends are what the same tests run against.
type backends struct {
	dir     string
	servers []*server
	urls    map[string]string // name -> URL
	missing map[string]error  // name -> why it cannot be used
}

var all backends

func (b *backends) start() error {
	dir, err := os.MkdirTemp("", "state")
	if err != nil {
		return err
	}
	b.dir, b.urls, b.missing = dir, map[string]string{"embedded": "embedded"}, map[string]error{}
	single := filepath.Join(dir, "single")
	if err := os.Mkdir(single, 0o700); err != nil {
		return err
	}
	v, err := newServer(single, 0)
	if err == nil {
		b.servers = append(b.servers, v)
		err = v.start()
	}
	if err != nil {
		b.missing["redis"], b.missing["cluster"] = err, err
		return nil
	}
	b.urls["redis"] = v.url
	nodes, url, err := newCluster(filepath.Join(dir, "cluster"))
	if err != nil {
		b.missing["cluster"] = err
		return nil
	}
	b.servers = append(b.servers, nodes...)
	b.urls["cluster"] = url
	return nil
}

func (b *backends) stop() {
	for _, v := range b.servers {
		v.close()
	}
	_ = os.RemoveAll(b.dir)
}

func (b *backends) url(tb testing.TB, name string) string {
	tb.Helper()
	err, missing := b.missing[name]
	if missing {
		if errors.Is(err, errNoRedis) {
			tb.Skip("not tested against " + name + ": " + err.Error())
		}
		tb.Fatal(err)
	}
	return b.urls[name]
}
