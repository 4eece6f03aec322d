<?php

declare(strict_types=1);

namespace Urumi\Agent;

use Urumi\Files;
use Urumi\Seed\Piece;
use Urumi\Store;

/**
 * Database upgrades after an image change, of core and of WooCommerce. They are the platform's work,
 * because the platform changed the code.
 */
final class Upgrade
{
    private const RECORD = Store::RECORDS . '/upgraded-for';
    private const CORE = 600.0; // seconds
    private const SHOP = 3000.0; // a large shop's own upgrade may be long, and being killed helps no one
    private const TRIES = 3; // behind closed doors
    private const LATER = 600; // seconds between the tries after those

    private static ?string $image = null;

    private int $tries = 0;
    private int $notBefore = 0; // on the monotonic clock, in seconds

    public function __construct(private readonly Status $status)
    {
    }

    /** The image whose upgrades are done. */
    public static function recordImage(): void
    {
        Files::keep(self::RECORD, self::image());
    }

    /**
     * Upgrades what is older than the image; whether the shop may open. After three failures it opens all the same, and
     * the agent tries seldom: the owner's plugins may be why it fails, and only the owner can change that.
     *
     * @param array<string, mixed> $database
     */
    public function isDone(array $database): bool
    {
        $core = $database['db_version'] !== $database['code_db_version'];
        $shop = @file_get_contents(self::RECORD) !== self::image();
        $now = intdiv(hrtime(true), 1_000_000_000);
        if ((!$core && !$shop) || $now < $this->notBefore) {
            return true;
        }
        if (++$this->tries <= self::TRIES) {
            $this->status->show(Reason::Upgrading);
        }
        $done = !$core || Child::run('upgrade-wordpress', self::CORE) !== null;
        if ($done && Child::run('upgrade-shop', self::SHOP) !== null) {
            self::recordImage();
            $this->tries = 0;
            return true;
        }
        if ($this->tries < self::TRIES) {
            return false;
        }
        $this->notBefore = $now + self::LATER;
        return true;
    }

    private static function image(): string
    {
        return self::$image ??= hash('sha256', implode("\n", [
            ...array_map(static fn (Piece $piece): string => $piece->path() . ' ' . $piece->digest(), Piece::all(Store::BUNDLE)),
            (string) hash_file('sha256', Store::CORE . '/wp-includes/version.php'),
        ]));
    }
}
