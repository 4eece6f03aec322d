<?php

declare(strict_types=1);

namespace Urumi\Child;

use Urumi\Files;
use Urumi\Store;

/**
 * The newest password that the platform has made for the administrator, and which one it is.
 *
 * Each later one has its number in the name of its file; the first has none.
 */
final class AdminPassword
{
    private const FOLDER = '/etc/urumi/credentials';
    private const FILE = 'admin-password';

    private function __construct(public readonly int $number, public readonly string $text)
    {
    }

    public static function mounted(): self
    {
        $number = 1;
        foreach (Files::names(self::FOLDER) as $name) {
            if (preg_match('/\A' . self::FILE . '-([1-9]\d{0,9})\z/', $name, $found)) {
                $number = max($number, (int) $found[1]);
            }
        }
        return new self($number, Store::credential(self::FILE . ($number > 1 ? "-$number" : '')));
    }
}
