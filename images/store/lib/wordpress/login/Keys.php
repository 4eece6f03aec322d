<?php

declare(strict_types=1);

namespace Urumi\Login;

use Urumi\Store;

/** The public keys of those who may sign a link, by their ids. */
final class Keys
{
    /** @param array<array-key, mixed> $keys */
    private function __construct(private readonly array $keys)
    {
    }

    /** As the platform mounts them now: they change without a restart. */
    public static function mounted(): self
    {
        $keys = json_decode(Store::config('login-keys'), true);
        return is_array($keys) && $keys ? new self($keys) : throw new Refused('this store has no keys');
    }

    /** The 32 bytes of a key. */
    public function named(string $id): string
    {
        $key = is_string($this->keys[$id] ?? null) ? base64_decode($this->keys[$id], true) : '';
        return is_string($key) && strlen($key) === SODIUM_CRYPTO_SIGN_PUBLICKEYBYTES
            ? $key
            : throw new Refused('its key is not known here');
    }
}
