<?php

declare(strict_types=1);

namespace Urumi\Child;

use Urumi\Installation;
use Urumi\Store;

/**
 * Installs WordPress before the first READY, and puts right what the site should be.
 *
 * is_blog_installed() is true long before an installation is whole, so it is not asked: wp_install() counts as
 * done when the row written after it is there. Until then the core tables are dropped and made anew; nobody
 * but the agent has reached them.
 */
final class InstallWordPress implements Task
{
    public function constants(): ?array
    {
        // Under WP_INSTALLING no plugin loads. wp-settings.php asks is_blog_installed(), which ends PHP over a
        // part of the tables unless WP_REPAIRING is defined.
        return ['WP_INSTALLING' => true, 'WP_REPAIRING' => true];
    }

    public function run(): array
    {
        global $wpdb;
        require_once ABSPATH . 'wp-admin/includes/upgrade.php';
        Quiet::keep();
        Turn::take($wpdb);
        $installation = Installation::read() ?? throw new \RuntimeException('wp-content has no record of this installation');
        if ($installation->wasReady) {
            throw new \RuntimeException('this store has been ready: it is never installed again');
        }
        if (!InstallationRow::exists($wpdb) || $this->missing($wpdb)) {
            $this->installAnew($wpdb, $installation->id);
        }
        return ['notes' => SiteFacts::repair()];
    }

    private function missing(\wpdb $database): bool
    {
        foreach (CoreTables::NAMES as $table) {
            if (Sql::value($database, 'SHOW TABLES LIKE %s', $database->esc_like($table)) === null) {
                return true;
            }
        }
        return get_option('siteurl') === false;
    }

    private function installAnew(\wpdb $database, string $id): void
    {
        InstallationRow::remove($database);
        foreach (Sql::tables($database) as $table) {
            Sql::run($database, "DROP TABLE IF EXISTS `$table`");
        }
        wp_cache_flush();
        // One transaction for all that fills the tables: two hundred syncs of the disk less.
        Sql::run($database, 'SET autocommit = 0');
        wp_install('', Store::ADMIN, Store::adminEmail(), true, '', AdminPassword::mounted()->text);
        SiteFacts::repair();
        // WordPress connects again without a word, and what came before would be lost.
        if (Sql::value($database, 'SELECT @@autocommit') !== '0') {
            throw new \RuntimeException('the connection was lost in the middle of the installation');
        }
        InstallationRow::write($database, $id);
        Sql::run($database, 'COMMIT');
        Sql::run($database, 'SET autocommit = 1');
    }
}
