package accounts

import (
	"context"

	goredis "github.com/redis/go-redis/v9"
)

// What follows changes what is stored behind the store's back.

func raw(url string, do func(*goredis.Client) error) error {
	o, err := goredis.ParseURL(url)
	if err != nil {
		return err
	}
	c := goredis.NewClient(o)
	defer func() { _ = c.Close() }()
	return do(c)
}

func spoilAudit(ctx context.Context, url string) error {
	return raw(url, func(c *goredis.Client) error { return c.Set(ctx, "livemon:{audit}:stream", "x", 0).Err() })
}

func forget(ctx context.Context, url, name string) error {
	return raw(url, func(c *goredis.Client) error { return c.HDel(ctx, "livemon:{rights}:accounts", name).Err() })
}

func damage(ctx context.Context, url, name string) error {
	return raw(url, func(c *goredis.Client) error {
		return c.HSet(ctx, "livemon:{rights}:accounts", name, "v b {").Err()
	})
}
