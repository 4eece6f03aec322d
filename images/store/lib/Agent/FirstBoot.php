<?php

declare(strict_types=1);

namespace Urumi\Agent;

use Urumi\Installation;
use Urumi\Store;

/**
 * From empty volumes to the first READY. Every fact is checked, repaired if it is wrong, and checked again by a
 * fresh child; until all of them hold the store is not ready, and nobody can reach it.
 */
final class FirstBoot
{
    private const INSTALL = 120.0; // seconds
    private const ACTIVATE = 120.0;
    private const FINISH = 600.0; // WooCommerce's upgrade callbacks come one second apart
    private const LOOK = 60.0;

    public function __construct(private readonly Status $status)
    {
    }

    /** @param array<string, mixed> $database */
    public function run(array $database, ?Installation $content, bool $brought): Reason
    {
        if ($database['broken'] !== [] && $database['work']) {
            Log::say('broken or missing, beside somebody\'s work: ' . implode(', ', $database['broken']));
            return Reason::TablesBroken; // to make them anew would delete it
        }
        if (!$brought) {
            return Reason::ContentIncomplete;
        }
        if ($content === null) {
            $id = $database['installation'];
            ($id === null ? Installation::fresh() : new Installation($id, false))->write();
        }
        if ($database['installation'] === null || $database['broken'] !== []) {
            $this->status->show(Reason::Installing);
            if (Child::run('install-wordpress', self::INSTALL) === null) {
                return Reason::Installing;
            }
            // Nothing else can be there yet, so the other steps follow without a look.
            if (Store::plugins()) {
                Child::run('activate-plugins', self::ACTIVATE);
            }
            if (Child::run('finish-site', self::FINISH) !== null && ($reason = $this->openedAtOnce()) !== null) {
                return $reason;
            }
        }
        return $this->repaired();
    }

    /**
     * Where every step has just answered, the pages are asked while a child looks; null if anything is wrong. Without
     * that they are not: a page that loads WooCommerce in the middle of its installation goes on with it, too.
     */
    private function openedAtOnce(): ?Reason
    {
        $looking = Child::begun('look-at-site', self::LOOK);
        $problem = Pages::problemOfNew();
        $seen = $looking->answer();
        if ($problem !== null || $seen === null || [...$seen['site'], ...$seen['plugins'], ...$seen['shop']] !== []) {
            return null;
        }
        return $this->opened($seen['pages']);
    }

    private function repaired(): Reason
    {
        $wrong = $this->look();
        if ($wrong === null || $wrong['site'] !== []) {
            Child::run('install-wordpress', self::INSTALL);
            $wrong = $this->look();
        }
        if ($wrong === null || $wrong['site'] !== []) {
            return Reason::SiteWrong;
        }
        if ($wrong['plugins'] !== []) {
            $this->status->show(Reason::PluginsInactive);
            Child::run('activate-plugins', self::ACTIVATE);
            $wrong = $this->look();
        }
        if ($wrong === null || $wrong['plugins'] !== []) {
            return Reason::PluginsInactive;
        }
        if ($wrong['shop'] !== []) {
            $this->status->show(Reason::ShopIncomplete);
            Child::run('finish-site', self::FINISH);
            $wrong = $this->look();
        }
        if ($wrong === null || $wrong['plugins'] !== [] || $wrong['shop'] !== []) {
            return Reason::ShopIncomplete;
        }
        $problem = Pages::problemOfNew();
        if ($problem !== null) {
            Log::say($problem);
            return Reason::PagesMissing;
        }
        return $this->opened($wrong['pages']);
    }

    /**
     * What is wrong, by who repairs it, and the shop's pages.
     *
     * @return array{site: list<string>, plugins: list<string>, shop: list<string>, pages: array<string, string>}|null
     */
    private function look(): ?array
    {
        $seen = Child::run('look-at-site', self::LOOK);
        foreach (['site', 'plugins', 'shop'] as $group) {
            foreach ($seen[$group] ?? [] as $problem) {
                Log::say($problem);
            }
        }
        return $seen;
    }

    /** @param array<string, string> $pages */
    private function opened(array $pages): Reason
    {
        $problem = Pages::problemOfShop($pages);
        if ($problem !== null) {
            Log::say($problem);
            return Reason::PagesMissing;
        }
        // The database first: whoever finds only that record writes the other one.
        if (Child::run('mark-ready', self::LOOK) === null) {
            return Reason::DatabaseAway;
        }
        $content = Installation::read();
        if ($content === null) {
            return Reason::ContentIncomplete;
        }
        (new Installation($content->id, true))->write();
        Upgrade::recordImage();
        return Reason::Ready;
    }
}
