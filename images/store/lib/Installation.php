<?php

declare(strict_types=1);

namespace Urumi;

/**
 * The record of this installation in wp-content. The database holds the same id (Child\InstallationRow);
 * one without the other means that a volume was lost.
 */
final class Installation
{
    private const FILE = Store::RECORDS . '/installation';

    public function __construct(public readonly string $id, public readonly bool $wasReady)
    {
    }

    public static function read(): ?self
    {
        $found = json_decode((string) @file_get_contents(self::FILE), true);
        return is_array($found) && is_string($found['id'] ?? null)
            ? new self($found['id'], ($found['ready'] ?? false) === true)
            : null;
    }

    public static function fresh(): self
    {
        return new self(bin2hex(random_bytes(16)), false);
    }

    public function write(): void
    {
        Files::keep(self::FILE, json_encode(['id' => $this->id, 'ready' => $this->wasReady], JSON_THROW_ON_ERROR));
        Files::syncFolders(Store::RECORDS, Store::CONTENT);
    }
}
