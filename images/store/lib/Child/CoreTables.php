<?php

declare(strict_types=1);

namespace Urumi\Child;

use Urumi\Store;

/** WordPress's own tables, and the version of their layout. */
final class CoreTables
{
    public const NAMES = [
        'wp_commentmeta', 'wp_comments', 'wp_links', 'wp_options', 'wp_postmeta', 'wp_posts', 'wp_term_relationships',
        'wp_term_taxonomy', 'wp_termmeta', 'wp_terms', 'wp_usermeta', 'wp_users',
    ];

    /** The layout that the image's code expects. */
    public static function versionOfCode(): int
    {
        $wp_db_version = 0;
        require Store::CORE . '/wp-includes/version.php';
        return (int) $wp_db_version;
    }
}
