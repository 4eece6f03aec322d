<?php

declare(strict_types=1);

namespace Urumi\Agent;

use Urumi\Installation;

/**
 * Whether the database and wp-content belong together, by the installation id that both hold.
 *
 * A lost volume is reported, and never silently replaced by an empty shop. Before the first READY nothing can
 * be lost, and everything may be made anew, but for a database in which somebody has worked.
 */
enum Belonging
{
    case Nothing;
    case Begun;
    case Together;
    case DatabaseLost;
    case ContentLost;
    case Strangers;

    /** @param array{tables: int, installation: ?string, ready: bool, work: bool} $database As the task look-at-database answers. */
    public static function of(?Installation $content, array $database): self
    {
        $id = $database['installation'];
        if ($content === null) {
            return match (true) {
                $id !== null => $database['ready'] ? self::ContentLost : self::Begun,
                $database['tables'] > 0 => self::Strangers,
                default => self::Nothing,
            };
        }
        if ($id === null) {
            return match (true) {
                $content->wasReady => self::DatabaseLost,
                $database['work'] => self::Strangers,
                default => self::Begun,
            };
        }
        return $id === $content->id ? self::Together : self::Strangers;
    }
}
