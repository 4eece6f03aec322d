<?php

declare(strict_types=1);

namespace Urumi\Seed;

use Urumi\Files;

/** What the seed last brought of one piece; written last, so a stamp means that all of it arrived. */
final class Stamp
{
    public function __construct(public readonly string $version, public readonly string $digest)
    {
    }

    public static function of(Piece $piece): self
    {
        return new self($piece->version(), $piece->digest());
    }

    public static function read(string $file): ?self
    {
        $found = json_decode((string) @file_get_contents($file), true);
        return is_array($found) && isset($found['version'], $found['digest'])
            ? new self((string) $found['version'], (string) $found['digest'])
            : null;
    }

    public function write(string $file): void
    {
        Files::keep($file, json_encode(['version' => $this->version, 'digest' => $this->digest], JSON_THROW_ON_ERROR));
    }
}
