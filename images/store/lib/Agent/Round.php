<?php

declare(strict_types=1);

namespace Urumi\Agent;

use Urumi\Installation;
use Urumi\Seed\Writable;
use Urumi\Store;

/** One look at the store: what is wrong is repaired if it is the agent's to repair, and the rest is named. */
final class Round
{
    private const LOOK = 15.0; // seconds

    private readonly FirstBoot $firstBoot;
    private readonly Upgrade $upgrade;
    private bool $brought = false;

    public function __construct(Status $status)
    {
        $this->firstBoot = new FirstBoot($status);
        $this->upgrade = new Upgrade($status);
    }

    public function run(): Reason
    {
        $problem = Writable::problem(Store::CONTENT, 'agent');
        if ($problem !== null) {
            Log::say($problem);
            return Reason::ContentReadOnly;
        }
        $brought = $this->broughtByNow(); // while the database starts, too
        $database = Child::run('look-at-database', self::LOOK);
        if ($database === null) {
            return Reason::LookFailed;
        }
        if (!$database['reachable']) {
            return $database['refused'] ? Reason::DatabaseRefuses : Reason::DatabaseAway;
        }
        $content = Installation::read();
        $belonging = Belonging::of($content, $database);
        return match ($belonging) {
            Belonging::DatabaseLost => Reason::DatabaseLost,
            Belonging::ContentLost => Reason::ContentLost,
            Belonging::Strangers => Reason::Strangers,
            Belonging::Nothing, Belonging::Begun => $this->firstBoot->run($database, $content, $brought),
            Belonging::Together => $content?->wasReady || $database['ready']
                ? $this->owned($database, $content, $brought)
                : $this->firstBoot->run($database, $content, $brought),
        };
    }

    /**
     * After the first READY the shop is the owner's: they may delete the first administrator, switch
     * plugins off and change the title. Only core tables, what the platform is asked for anew, and answering pages decide.
     *
     * @param array<string, mixed> $database
     */
    private function owned(array $database, ?Installation $content, bool $brought): Reason
    {
        if ($content !== null && !$content->wasReady) {
            (new Installation($content->id, true))->write(); // killed between the two records of the first READY
        }
        if ($database['broken'] !== []) {
            Log::say('broken or missing: ' . implode(', ', $database['broken']));
            return Reason::TablesBroken;
        }
        if (!$brought) {
            return Reason::ContentIncomplete;
        }
        if (!$this->upgrade->isDone($database)) {
            return Reason::Upgrading;
        }
        if (!AsAsked::isDone($database)) {
            return Reason::SiteWrong;
        }
        $problem = Pages::problemOfOwned();
        if ($problem !== null) {
            Log::say($problem);
            return Reason::PagesMissing;
        }
        return Reason::Ready;
    }

    /**
     * Whether the image's plugins and themes are in wp-content. The image does not change while the agent runs: once is
     * enough, before upgrades load what is brought.
     */
    private function broughtByNow(): bool
    {
        return $this->brought = $this->brought || Bundle::isThere();
    }
}
